"""An account without room: its jobs stand in line, few of them ask; priority and age say who goes first."""

import json
import secrets

import pytest
from real_parts import Line, make_line, running_emulator, running_workers, wait_for

from actorline.jobs.admission import TRYING

pytestmark = pytest.mark.thorough

ROOM = 2
JOBS = 14


@pytest.fixture
def small_account(tmp_path):
    """An emulator whose account may have ROOM runs at once."""
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"concurrent_runs": ROOM}))
    with running_emulator("--profile", str(profile)) as emulator:
        yield emulator


@pytest.fixture
def crowded(valkey, small_account, tmp_path):
    line = make_line(valkey, small_account, tmp_path / "crowded", f"crowded-{secrets.token_hex(3)}")
    yield line
    line.client.close()


def order(line: Line, key: str, actor: str, **document):
    return line.submit({"key": key, "actor": actor, "poll_interval_secs": 1, **document})


def in_line(line: Line) -> list[str]:
    return line.ledger.redis.zrange(line.ledger.name("line", "default"), 0, -1)


def start_order(line: Line, keys) -> list[str]:
    """The jobs in the order in which their runs were made."""
    by_run = {line.ledger.load(key).run_id: key for key in keys}
    made = sorted(line.emulator.runs(), key=lambda run: run["startedAt"])
    return [by_run[run["id"]] for run in made if run["id"] in by_run]


def test_line_drains_as_runs_end_and_few_starts_are_refused(crowded):
    actor = crowded.emulator.actor("drain", items=1, duration_secs=2)
    with running_workers(crowded, "control", "fetch"):
        orders = {f"drain-{n:02}": order(crowded, f"drain-{n:02}", actor) for n in range(JOBS)}
        results = [sent.get(timeout=100) for sent in orders.values()]
        assert {result["state"] for result in results} == {"DELIVERED"}
        assert in_line(crowded) == []
    starts, runs = len(crowded.emulator.starts(actor)), len(crowded.emulator.runs_of(actor))
    assert runs == JOBS
    # a run's end calls the first, and the first three ask by themselves now and then; the others don't
    assert starts - runs <= 4 * JOBS


def test_who_waits_goes_first_by_priority_then_by_age(crowded):
    busy = crowded.emulator.actor("busy", items=1, duration_secs=600)
    actor = crowded.emulator.actor("rank", items=1, duration_secs=1)
    ranks = {"late-9": 9, "mid-5a": 5, "mid-5b": 5, "urgent-0": 0, "soon-2": 2, "mid-5c": 5}
    with running_workers(crowded, "control", "fetch"):
        for n in range(ROOM):
            order(crowded, f"busy-{n}", busy)
        wait_for(lambda: len(crowded.emulator.runs_of(busy)) == ROOM, what="a full account")
        waiting = []
        for key, priority in ranks.items():
            waiting.append(order(crowded, key, actor, priority=priority))
            wait_for(lambda key=key: key in in_line(crowded), what="a place in the line")
        assert in_line(crowded) == ["urgent-0", "soon-2", "mid-5a", "mid-5b", "mid-5c", "late-9"]
        for n in range(ROOM):
            crowded.cancel(f"busy-{n}")
        assert [sent.get(timeout=100)["state"] for sent in waiting] == ["DELIVERED"] * len(ranks)
        began = start_order(crowded, ranks)
    ranked = ["urgent-0", "soon-2", "mid-5a", "mid-5b", "mid-5c", "late-9"]
    for place, key in enumerate(began):  # the first three may try, so at most two that come before it are left behind
        assert len(set(ranked[: ranked.index(key)]) - set(began[:place])) < TRYING
    assert began[0] in ranked[:TRYING]


def test_waiting_job_is_cancelled_expired_and_makes_place(crowded):
    actor = crowded.emulator.actor("give-up", items=1, duration_secs=600)
    quick = crowded.emulator.actor("quick", items=1, duration_secs=0)
    with running_workers(crowded, "control", "fetch"):
        for n in range(ROOM):
            order(crowded, f"hold-{n}", actor)
        wait_for(lambda: len(crowded.emulator.runs_of(actor)) == ROOM, what="a full account")
        keys = [f"stay-{n}" for n in range(5)]
        for key in keys:
            order(crowded, key, quick)
            wait_for(lambda key=key: key in in_line(crowded), what="a place in the line")
        order(crowded, "expires", quick, deadline_secs=3)
        wait_for(lambda: crowded.state("expires") == "EXPIRED", what="the end by deadline")
        assert [key for key in keys if "starting" in crowded.events(key)] == keys[:TRYING]  # the others haven't asked
        for key in keys[:4]:
            crowded.cancel(key)
        wait_for(lambda: all(crowded.state(key) == "CANCELLED" for key in keys[:4]), what="cancelled jobs")
        assert in_line(crowded) == ["stay-4"]
        crowded.cancel("hold-0")
        wait_for(lambda: crowded.state("stay-4") == "DELIVERED", what="the job that was left")
        crowded.cancel("hold-1")
        wait_for(lambda: crowded.state("hold-1") == "CANCELLED", what="the end")
    assert len(crowded.emulator.runs_of(quick)) == 1


def test_line_outlives_killed_workers(crowded):
    actor = crowded.emulator.actor("killed", items=1, duration_secs=2)
    with running_workers(crowded, "control", "fetch") as workers:
        sent = [order(crowded, f"killed-{n}", actor) for n in range(8)]
        wait_for(lambda: len(in_line(crowded)) >= 4, what="a line")
        for worker in workers:
            worker.kill()
    with running_workers(crowded, "control", "fetch"):
        assert [each.get(timeout=100)["state"] for each in sent] == ["DELIVERED"] * 8
    assert len(crowded.emulator.runs_of(actor)) == 8


def test_start_that_waits_for_a_worker_goes_by_priority(own_line):
    line = own_line("one-thread", control_concurrency="1")
    actor = line.emulator.actor("one-thread", items=1, duration_secs=0)
    document = {"actor": actor, "poll_interval_secs": 1}
    late = [line.submit({**document, "priority": 9}) for _ in range(6)]
    urgent = line.submit({**document, "priority": 0})
    with running_workers(line, "control", "fetch"):
        results = [sent.get(timeout=60) for sent in [*late, urgent]]
    run_ids = [run["id"] for run in sorted(line.emulator.runs_of(actor), key=lambda run: run["startedAt"])]
    assert run_ids[0] == results[-1]["run_id"]
    assert sorted(run_ids) == sorted(result["run_id"] for result in results)
