"""An account without room: its jobs stand in line, and send no start that it would refuse; priority and age say who
goes first.
"""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from real_parts import Emulator, Line, make_line, running_emulator, running_line, running_workers, wait_for

from actorline.jobs.sender import FROM_TERMINAL
from actorline.ledger.admission.capacity_line import TRYING
from actorline.ledger.admission.pause import pause, resume
from actorline.orders.submit import submit
from actorline.settings import Settings

pytestmark = pytest.mark.thorough

ROOM = 2
PROMPT_SECS = 45  # a look at the limits every 3 s, and a busy machine; without looks it would be a minute and more
JOBS = 14


@contextmanager
def account_with(room: int | None, folder: Path, **limits: int) -> Iterator[Emulator]:
    """An emulator whose account may have so many runs at once."""
    profile = folder / "profile.json"
    profile.write_text(json.dumps({"concurrent_runs": room, **limits}))
    with running_emulator("--profile", str(profile)) as emulator:
        yield emulator


@pytest.fixture
def small_account(tmp_path):
    with account_with(ROOM, tmp_path) as emulator:
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
    by_run = {line.ledger.load(key).run.id: key for key in keys}
    made = sorted(line.emulator.runs(), key=lambda run: run["startedAt"])
    return [by_run[run["id"]] for run in made if run["id"] in by_run]


def refused_starts(emulator: Emulator, actor: str) -> int:
    return len(emulator.starts(actor)) - len(emulator.runs_of(actor))


def limits_read(emulator: Emulator) -> int:
    return len(emulator.requests("GET", "/v2/users/me/limits"))


def test_account_that_others_fill_refuses_no_start(crowded):
    """Nothing of ours ends, so only the account's limits can tell that there is room."""
    others, actor = crowded.emulator.actor("others", duration_secs=600), crowded.emulator.actor("ours", items=1)
    theirs = [crowded.emulator.start(others)["id"] for _ in range(ROOM)]
    with running_workers(crowded, "control", "fetch"):
        orders = [order(crowded, f"ours-{n}", actor) for n in range(8)]
        wait_for(lambda: waiting(crowded, 8), what="a line")
        before = limits_read(crowded.emulator)
        wait_for(lambda: limits_read(crowded.emulator) > before + 1, what="another look at the account")
        assert crowded.emulator.starts(actor) == []
        said = [
            entry.data["message"]
            for number in range(8)
            for entry in crowded.ledger.timeline.entries(f"ours-{number}")
            if entry.event == "waiting"
        ]
        assert any("as many runs as it may have" in message for message in said)
        for run_id in theirs:
            crowded.emulator.post(f"/v2/actor-runs/{run_id}/abort")
        freed = time.monotonic()
        wait_for(lambda: len(crowded.emulator.runs_of(actor)) >= ROOM, what="starts")
        assert time.monotonic() - freed < PROMPT_SECS
        assert {sent.get(timeout=120)["state"] for sent in orders} == {"DELIVERED"}
    assert refused_starts(crowded.emulator, actor) == 0


def test_memory_decides_who_fits_and_small_runs_pass_by(valkey, tmp_path):
    with account_with(None, tmp_path, memory_gbytes=4) as emulator, running_line(
        valkey, emulator, tmp_path / "memory", "memory"
    ) as line:  # fmt: skip
        busy = emulator.actor("memory-busy", duration_secs=600)
        actor = emulator.actor("memory", items=1)  # a gigabyte, which its order does not say
        for key, memory in {"busy-0": 2048, "busy-1": 1024}.items():
            order(line, key, busy, options={"memory_mbytes": memory})
        wait_for(lambda: len(emulator.runs_of(busy)) == 2, what="a gigabyte left")
        order(line, "large", busy, options={"memory_mbytes": 2048})
        wait_for(lambda: waiting(line, 1), what="the large one waiting")
        assert {order(line, f"small-{n}", actor).get(timeout=120)["state"] for n in range(4)} == {"DELIVERED"}
        assert len(emulator.runs_of(busy)) == 2
        line.cancel("busy-1")
        wait_for(lambda: len(emulator.runs_of(busy)) == 3, what="the large one")
        assert (refused_starts(emulator, busy), refused_starts(emulator, actor)) == (0, 0)


def test_account_whose_limits_are_unreadable_is_tried(crowded):
    crowded.emulator.faults({"action": "status", "status": 403, "path_regex": "users/me/limits"})
    actor = crowded.emulator.actor("unreadable-in-line", items=1, duration_secs=1)
    with running_workers(crowded, "control", "fetch"):
        sent = [order(crowded, f"unreadable-{n}", actor) for n in range(4)]
        assert {each.get(timeout=120)["state"] for each in sent} == {"DELIVERED"}
    assert len(crowded.emulator.runs_of(actor)) == 4


def test_line_drains_as_runs_end_and_no_start_is_refused(crowded):
    actor = crowded.emulator.actor("drain", items=1, duration_secs=2)
    with running_workers(crowded, "control", "fetch"):
        orders = {f"drain-{n:02}": order(crowded, f"drain-{n:02}", actor) for n in range(JOBS)}
        results = [sent.get(timeout=120) for sent in orders.values()]
        assert {result["state"] for result in results} == {"DELIVERED"}
        assert in_line(crowded) == []
    assert len(crowded.emulator.runs_of(actor)) == JOBS
    assert refused_starts(crowded.emulator, actor) == 0


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
        ranked = ["urgent-0", "soon-2", "mid-5a", "mid-5b", "mid-5c", "late-9"]
        wait_for(lambda: in_line(crowded) == ranked, what="the line in order")  # the first one tries now and then
        for n in range(ROOM):
            crowded.cancel(f"busy-{n}")
        assert [sent.get(timeout=120)["state"] for sent in waiting] == ["DELIVERED"] * len(ranks)
        began = start_order(crowded, ranks)
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
        assert crowded.emulator.starts(quick) == []
        for key in keys[:4]:
            crowded.cancel(key)
        wait_for(lambda: all(crowded.state(key) == "CANCELLED" for key in keys[:4]), what="cancelled jobs")
        wait_for(lambda: in_line(crowded) == ["stay-4"], what="the line without them")
        crowded.cancel("hold-0")
        wait_for(lambda: crowded.state("stay-4") == "DELIVERED", what="the job that was left")
        crowded.cancel("hold-1")
        wait_for(lambda: crowded.state("hold-1") == "CANCELLED", what="the end")
    assert len(crowded.emulator.runs_of(quick)) == 1


def test_full_account_fills_its_room_as_fast_as_it_empties(valkey, tmp_path):
    """Hand-offs one after the other, a second each, would leave most of the room empty."""
    with account_with(12, tmp_path) as emulator, running_line(valkey, emulator, tmp_path / "rooms", "rooms") as line:
        busy = emulator.actor("rooms-busy", items=0, duration_secs=600)
        actor = emulator.actor("rooms", items=0, duration_secs=10)
        for n in range(12):
            order(line, f"busy-{n}", busy)
        wait_for(lambda: len(emulator.runs_of(busy)) == 12, what="a full account")
        for n in range(16):
            order(line, f"rooms-{n}", actor)
        wait_for(lambda: waiting(line, 16), what="a line")
        for n in range(12):
            line.cancel(f"busy-{n}")
        wait_for(lambda: len(emulator.runs_of(actor)) >= 12, what="a full account again")
        gap = {each: usual_gap(emulator, each) for each in (busy, actor)}
    assert gap[actor] < gap[busy] + 0.6  # as in an empty account


def usual_gap(emulator: Emulator, actor: str) -> float:
    """Seconds between two of the first twelve starts, most of the time: one that stands still makes one long gap."""
    began = sorted(datetime.fromisoformat(run["startedAt"]) for run in emulator.runs_of(actor))[:12]
    return median((later - earlier).total_seconds() for earlier, later in pairwise(began))


def waiting(line: Line, count: int) -> bool:
    return line.ledger.redis.zcard(line.ledger.name("state", "WAITING")) == count


def test_jobs_that_wait_cost_nothing_while_the_brake_is_on(own_line):
    line = own_line("braked-line")
    actor = line.emulator.actor("braked-line", items=1, duration_secs=0)
    pause(line.ledger, "default")
    with running_workers(line, "control", "fetch"):
        sent = [line.submit({"key": f"braked-{n}", "actor": actor, "poll_interval_secs": 1}) for n in range(12)]
        wait_for(lambda: waiting(line, 12), what="twelve jobs that wait")
        ids, epochs = (
            line.ledger.redis.hlen(line.ledger.name("ids")),
            [line.ledger.load(f"braked-{n}").epoch for n in range(12)],
        )
        swept = wait_for(lambda: line.ledger.redis.get(line.ledger.name("swept_at")), what="a sweep")
        wait_for(lambda: float(line.ledger.redis.get(line.ledger.name("swept_at"))) > float(swept) + 4, what="sweeps")
        assert line.ledger.redis.hlen(line.ledger.name("ids")) == ids
        assert [line.ledger.load(f"braked-{n}").epoch for n in range(12)] == epochs
        line.cancel("braked-0")
        wait_for(lambda: line.state("braked-0") == "CANCELLED", what="the end of one that waits")
        resume(line.ledger, "default")
        assert [order.get(timeout=120)["state"] for order in sent[1:]] == ["DELIVERED"] * 11
        assert not line.ledger.redis.exists(line.ledger.name("line", "default"), line.ledger.name("lines"))
    assert len(line.emulator.starts(actor)) == 11


def test_waiting_job_ends_at_its_deadline_though_nobody_calls_it(own_line):
    line = own_line("braked-deadline")
    pause(line.ledger)
    with running_workers(line, "control"):
        line.submit({"key": "late", "actor": "demo/any", "deadline_secs": 3})
        wait_for(lambda: line.state("late") == "EXPIRED", what="the end by deadline")


def test_line_outlives_killed_workers(crowded):
    actor = crowded.emulator.actor("killed-in-line", items=1, duration_secs=600)
    with running_workers(crowded, "control", "fetch") as workers:
        sent = [order(crowded, f"killed-{n}", actor) for n in range(8)]
        wait_for(lambda: len(in_line(crowded)) >= ROOM, what="a line")
        for worker in workers:
            worker.kill()
    crowded.emulator.actor("killed-in-line", items=1, duration_secs=0)
    crowded.emulator.finish_runs_of(actor)
    with running_workers(crowded, "control", "fetch"):
        assert [each.get(timeout=120)["state"] for each in sent] == ["DELIVERED"] * 8
    assert len(crowded.emulator.runs_of(actor)) == 8


def test_start_that_waits_for_a_worker_goes_by_priority(own_line):
    line = own_line("one-thread", control_concurrency="1")
    document = {"actor": line.emulator.actor("one-thread", items=1, duration_secs=0), "poll_interval_secs": 1}
    ranks = {**{f"late-{n}": 9 for n in range(6)}, "urgent": 0}
    settings = Settings(home=line.home)
    for key, priority in ranks.items():
        submit(
            {**document, "key": key, "priority": priority},
            ledger=line.ledger,
            settings=settings,
            trusted=True,
            sender=FROM_TERMINAL,
        )
    line.send("actorline.upkeep", *ranks, queue="control")
    with running_workers(line, "control", "fetch"):
        wait_for(lambda: all(line.state(key) == "DELIVERED" for key in ranks), what="the end of all")
    # the thread may take one before all of them are sent, and then it is the turn of what isn't urgent
    assert "urgent" in start_order(line, ranks)[:3]
    assert len(line.emulator.starts(document["actor"])) == len(ranks)


def test_starts_begin_before_all_orders_are_registered(own_line):
    line = own_line("at-once", control_concurrency="2")
    actor = line.emulator.actor("at-once", items=0, duration_secs=600)
    keys = [f"at-once-{n}" for n in range(60)]
    for key in keys:
        order(line, key, actor, poll_interval_secs=600)
    with running_workers(line, "control"):
        wait_for(lambda: all(line.state(key) == "RUNNING" for key in keys), what="the start of all")
    jobs = line.ledger.load_many(keys)
    begun = [entry.at for key in keys for entry in line.ledger.timeline.entries(key) if entry.event == "starting"]
    assert min(begun) < sorted(job.queued_at for job in jobs)[len(jobs) // 2]
