"""Valkey, broker and ledger in one, is killed by SIGKILL and comes back with its append-only file: the job goes on."""

from collections.abc import Iterator

import pytest
from cases import ROWS
from mortal_valkey import MortalValkey, mortal_valkey
from real_parts import delivery_of, make_line, start_worker, unacked, wait_for

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def valkey_of_our_own() -> Iterator[MortalValkey]:
    with mortal_valkey() as server:
        yield server


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "COLLECTING"])
def test_job_outlives_a_valkey_that_is_killed(valkey_of_our_own, emulator, faults, tmp_path, state):
    key = f"valkey-{state.lower()}"
    actor = emulator.actor(key, items=ROWS, duration_secs=2)
    faults(
        {"method": "POST", "path_regex": f"demo~{key}/runs$", "action": "delay", "secs": 1.5},
        {"method": "GET", "path_regex": "/items$", "action": "delay", "secs": 0.7},
    )
    line = make_line(valkey_of_our_own.url, emulator, tmp_path / "home", key)
    document = {"key": key, "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": ROWS // 2}}
    workers = [start_worker("all", line)]
    try:
        first = line.submit(document)
        wait_for(lambda: line.state(key) == state, within=60, what=state)
        valkey_of_our_own.kill()
        valkey_of_our_own.start()
        # kombu 5 may die of a lost broker while it holds messages; the stack starts what dies again, and so does this
        workers.append(start_worker("all", line))
        wait_for(lambda: line.state(key) == "DELIVERED", within=120, what="the delivery")
        result = line.submit(document).get(timeout=40)
        wait_for(lambda: line.client.backend.get_state(first.id) == "SUCCESS", what="the first caller's answer")
        wait_for(lambda: not unacked(line), what="an empty unacked set")
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(60)
    line.client.close()
    assert len(emulator.runs_of(actor)) == 1
    assert result["items"] == ROWS
    assert delivery_of(result).sha256 == emulator.expected(result["dataset_id"])["sha256"]
