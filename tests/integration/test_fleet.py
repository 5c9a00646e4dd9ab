"""Many running jobs: beyond a number of polls they are watched together, and end as any other."""

import json
import time
from collections import Counter

import pytest
from real_parts import Line, running_workers, unacked, wait_for

pytestmark = pytest.mark.thorough

COUNTDOWNS = 2
JOBS = 12


@pytest.fixture
def crowd(own_line):
    """Makes a line on which up to two jobs are polled by countdown: `crowd("namespace")`."""
    return lambda namespace, **settings: own_line(namespace, countdown_polls=str(COUNTDOWNS), **settings)


def order_many(line: Line, name: str, **script):
    """Orders of JOBS jobs, once their runs go on and all of them are parked."""
    actor = line.emulator.actor(name, **script)
    orders = {f"{name}-{n}": {"key": f"{name}-{n}", "actor": actor, "poll_interval_secs": 1} for n in range(JOBS)}
    sent = {key: line.submit(document) for key, document in orders.items()}
    wait_for(lambda: len(parked(line)) == JOBS, what="parked jobs")
    return actor, sent


def parked(line: Line) -> dict[str, str]:
    """Key -> run id."""
    stored = line.ledger.redis.hgetall(line.ledger.name("parked"))
    return {key: json.loads(each)["run_id"] for key, each in stored.items()}


def looks(line: Line) -> int:
    """Lists of the runs that go on, from their first page on."""
    asked = line.emulator.requests("GET", "/v2/actor-runs")
    lists = [each["query"] for each in asked if each["path"] == "/v2/actor-runs"]
    return sum("status" in query and query["offset"] == "0" for query in lists)


def own_looks(line: Line) -> int:
    """Requests for one run, of the runs whose jobs are parked."""
    paths = {f"/v2/actor-runs/{run_id}" for run_id in parked(line).values()}
    return sum(each["path"] in paths for each in line.emulator.requests("GET", "/v2/actor-runs"))


def test_parked_jobs_cost_one_list_an_interval_and_are_delivered(crowd):
    line = crowd("crowd")
    with running_workers(line, "control", "fetch"):
        actor, orders = order_many(line, "crowd", items=100, duration_secs=600)
        began = time.monotonic()
        before, lists = own_looks(line), looks(line)
        wait_for(lambda: looks(line) >= lists + 3, what="three looks")
        seen, elapsed = looks(line) - lists, time.monotonic() - began
        assert seen <= 2 * elapsed + 3  # about one a second; polls by countdown would be ten
        assert own_looks(line) == before
        held = line.client.control.inspect(timeout=0.5).scheduled() or {}
        assert not any(held.values())
        line.emulator.finish_runs_of(actor)
        results = [order.get(timeout=120) for order in orders.values()]
        assert [(result["state"], result["items"]) for result in results] == [("DELIVERED", 100)] * JOBS
        assert not parked(line)
        wait_for(lambda: not unacked(line), what="nothing left")
    assert len(line.emulator.starts(actor)) == JOBS


def test_parked_jobs_are_cancelled_and_expire_at_once(crowd):
    line = crowd("crowd-stopped")
    with running_workers(line, "control", "fetch"):
        actor, orders = order_many(line, "crowd-stopped", items=1, duration_secs=600)
        late = {"key": "late", "actor": actor, "poll_interval_secs": 1, "deadline_secs": 4}
        line.submit(late, ignore_result=True)
        wait_for(lambda: line.state("late") == "EXPIRED", what="the end by deadline")
        unlucky = next(iter(orders))
        orders[unlucky].revoke()
        wait_for(lambda: line.state(unlucky) == "CANCELLED", what="the end of a parked job")
        for key in orders:
            line.cancel(key)
        wait_for(lambda: all(line.state(key) == "CANCELLED" for key in orders), what="the end of all")
    ends = Counter(run["status"] for run in line.emulator.runs_of(actor))
    assert ends["ABORTED"] >= JOBS
    assert set(ends) <= {"ABORTED", "TIMED-OUT"}  # the late one's, on a busy machine


def test_parked_jobs_outlive_a_silent_platform_and_their_workers(crowd, faults):
    line = crowd("crowd-alone")
    with running_workers(line, "control", "fetch") as workers:
        actor, orders = order_many(line, "crowd-alone", items=100, duration_secs=600)
        faults({"method": "GET", "path_regex": "/v2/actor-runs$", "action": "status", "status": 503, "times": 1000})
        for worker in workers:
            worker.kill()
        before = own_looks(line)
    with running_workers(line, "control", "fetch"):
        lists = looks(line)
        wait_for(lambda: looks(line) > lists, what="a look that fails")
        assert len(parked(line)) == JOBS
        assert own_looks(line) == before
        line.emulator.finish_runs_of(actor)
        line.emulator.end_faults()
        assert all(order.get(timeout=120)["items"] == 100 for order in orders.values())
    assert len(line.emulator.starts(actor)) == JOBS
