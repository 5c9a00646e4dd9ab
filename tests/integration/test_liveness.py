"""Who holds what: a worker that stops gives it back at once, and neither its end nor our sweeps touch others' tasks."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery
from real_parts import (
    ROOT,
    Emulator,
    Line,
    delivery_of,
    make_line,
    running_workers,
    start_worker,
    unacked,
    wait_for,
    wait_for_pongs,
    wait_until_ready,
    waiting_poll,
)
from terminal import running_valkey

from actorline.cli import attach
from actorline.ledger.queries.tally import read_tally
from actorline.settings import Settings
from actorline.upkeep.unattended import missing_workers

pytestmark = pytest.mark.thorough

FOREIGN = """
import os, time
from celery import Celery

app = Celery("foreign", broker=os.environ["BROKER"], backend=os.environ["RESULTS"])

@app.task(bind=True, name="foreign.quick")
def quick(self):
    app.backend.client.hincrby("foreign-ran", self.request.id)

@app.task(bind=True, name="foreign.long", acks_late=True)
def long(self, secs):
    app.backend.client.hincrby("foreign-ran", self.request.id)
    time.sleep(secs)
"""
HEARTBEAT_SECS = 2  # Celery's event of a worker
LONG_SECS = 9  # longer than our visibility timeout and a sweep


@contextmanager
def foreign_worker(line, folder: Path) -> Iterator[Celery]:
    """Another project's worker on the same Redis database, with Celery's default settings."""
    (folder / "foreign.py").write_text(FOREIGN)
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "celery", "-A", "foreign", "worker", "-c", "2", "-n", "foreign@%h"],
            cwd=folder,
            env={**os.environ, "BROKER": line.broker, "RESULTS": line.results},
            stdout=log,
            stderr=log,
        )
    try:
        wait_for_pongs(line.client, ["foreign"], [worker])
        yield line.client
    finally:
        worker.terminate()
        worker.wait(60)


@pytest.fixture
def line_of_its_own_redis(short_folder: Path, emulator: Emulator, tmp_path: Path) -> Iterator[Line]:
    """On Celery's default queue of the shared one other tests' workers wait."""
    with running_valkey(short_folder):
        line = make_line(f"redis+socket://{short_folder}/s", emulator, tmp_path, "beside-others")
        yield line
        line.client.close()


def test_foreign_tasks_on_the_same_redis_run_once(line_of_its_own_redis, tmp_path):
    line = line_of_its_own_redis
    actor = line.emulator.actor("beside-others", items=300, duration_secs=600)
    with foreign_worker(line, tmp_path) as client, running_workers(line, "all", "all") as workers:
        sent = [client.send_task("foreign.long", [LONG_SECS]) for _ in range(2)]  # both slots are taken
        sent += [client.send_task("foreign.quick") for _ in range(30)]  # some of these lie prefetched meanwhile
        sent += [client.send_task("foreign.quick", countdown=LONG_SECS) for _ in range(30)]
        order = line.submit({"key": "beside-others", "actor": actor, "poll_interval_secs": 1})
        wait_for(lambda: waiting_poll(line, "beside-others"), what="a poll that a worker of ours holds")
        workers[0].kill()
        line.emulator.finish_runs_of(actor)
        for task in sent:
            task.get(timeout=120)
        assert order.get(timeout=120)["items"] == 300
    ran = client.backend.client.hgetall("foreign-ran")
    assert {task_id.decode(): int(times) for task_id, times in ran.items()} == {task.id: 1 for task in sent}


@pytest.fixture
def two_workers_and_two_jobs(own_line, faults, request):
    """The line and its two workers. The first one holds a poll of the job `polled`, and a page of the job `paged` that
    comes slowly. The second one takes nothing before the file `go` is there.
    """
    line = own_line(request.param["action"].replace("_", "-"), visibility_timeout_secs="600")
    polled = line.emulator.actor("polled", items=1, duration_secs=600)
    paged = line.emulator.actor("paged", items=3000, item_bytes=2000, duration_secs=0)
    with running_workers(line, "all") as workers:
        late = start_worker("all", line, [str(ROOT / "tests" / "integration" / "late_worker.py")])
        workers.append(late)
        wait_for((line.home / "loaded").exists, what="the second worker")
        line.submit({"key": "polled", "actor": polled, "poll_interval_secs": 300}, ignore_result=True)
        wait_for(lambda: waiting_poll(line, "polled"), what="a poll that the worker holds")
        faults({"method": "GET", "path_regex": "/items$", "nth": 1, **request.param})
        line.submit({"key": "paged", "actor": paged, "poll_interval_secs": 1}, ignore_result=True)
        wait_for(lambda: "fetching" in line.events("paged"), what="pages on the way")
        wait_for(lambda: line.ledger.redis.keys(line.ledger.name("lease", "page", "*")), what="a page in hand")
        yield line, *workers


def holds_poll(line, worker, key: str) -> bool:
    name = f"all-{worker.pid}@{socket.gethostname()}"
    held = line.client.control.inspect(timeout=2, destination=[name], limit=1).scheduled() or {}
    return any(entry["request"]["args"][:1] == [key] for entries in held.values() for entry in entries)


SLOW = {"action": "stall_body", "after_bytes": 3000, "secs": 300}
SILENT = {"action": "delay", "secs": 300}


@pytest.mark.parametrize("two_workers_and_two_jobs", [SLOW], indirect=True)
def test_stopped_worker_gives_back_what_another_soon_continues(two_workers_and_two_jobs):
    line, first, second = two_workers_and_two_jobs
    first.terminate()
    (line.home / "go").touch()
    wait_for(lambda: holds_poll(line, second, "polled"), what="the poll in the other worker's hands")
    wait_for(lambda: line.state("paged") == "DELIVERED", what="the delivery by the other worker")
    assert first.wait(60) == 0  # the visibility timeout is ten minutes, the stall five
    assert line.events("paged").count("page-failed") == 0


@pytest.mark.parametrize("two_workers_and_two_jobs", [SILENT], indirect=True)
def test_stopped_worker_keeps_nothing_for_a_silent_platform(two_workers_and_two_jobs):
    line, first, second = two_workers_and_two_jobs
    first.terminate()
    (line.home / "go").touch()
    wait_for(lambda: holds_poll(line, second, "polled"), what="the poll in the other worker's hands")
    wait_for(lambda: line.state("paged") == "DELIVERED", what="the delivery by the other worker")
    assert first.poll() is None
    first.kill()  # it would wait for the rest of its patience


def has_open_download(emulator: Emulator, actor: str) -> bool:
    (run,) = emulator.runs_of(actor)
    requests = emulator.requests("GET", f"/v2/datasets/{run['defaultDatasetId']}/items")
    return any(request["finished_at"] is None for request in requests)


def test_lost_broker_connections_cost_no_second_run_and_no_row(short_folder, emulator, faults, tmp_path):
    """All connections at once, while a poll is held and while pages come."""
    with running_valkey(short_folder):
        line = make_line(f"redis+socket://{short_folder}/s", emulator, tmp_path, "cut-off")
        actor = emulator.actor("cut-off", items=900, duration_secs=600)
        faults({"method": "GET", "path_regex": "/items$", "action": "delay", "secs": 600})
        workers = [start_worker("all", line)]
        try:
            document = {"key": "cut-off", "actor": actor, "poll_interval_secs": 2, "collect": {"page_items": 300}}
            wait_until_ready(line, ["all"], workers)
            line.submit(document, ignore_result=True)
            wait_for(lambda: waiting_poll(line, "cut-off"), what="a poll that the worker holds")
            cut_all_connections(line)
            emulator.finish_runs_of(actor)
            wait_for(lambda: "fetching" in line.events("cut-off"), what="pages on the way")
            wait_for(lambda: has_open_download(emulator, actor), what="a page's response that is awaited")
            cut_all_connections(line)
            emulator.end_faults()

            def is_delivered() -> bool:
                if workers[-1].poll() is not None:  # kombu may die of it; as the stack does, this starts what dies
                    workers.append(start_worker("all", line))
                return line.state("cut-off") == "DELIVERED"

            wait_for(is_delivered, what="the delivery")
            result = line.submit(document).get(timeout=120)
            wait_for(lambda: not unacked(line), what="an empty unacked set")
            assert line.events("cut-off").count("ended") == 1
        finally:
            for worker in workers:
                worker.terminate()
                worker.wait(60)
            line.client.close()
    assert [run["id"] for run in emulator.runs_of(actor)] == [result["run_id"]]
    assert delivery_of(result).sha256 == emulator.expected(result["dataset_id"])["sha256"]


def cut_all_connections(line) -> None:
    for kind in ("normal", "pubsub"):
        line.ledger.redis.client_kill_filter(_type=kind, skipme=True)


def test_frozen_worker_is_soon_seen_no_more(own_line):
    line = own_line("frozen-presence")
    with running_workers(line, "control", "fetch") as (_, fetch):
        wait_for(lambda: missing_workers(read_tally(line.ledger)) == {}, what="both kinds seen")
        fetch.send_signal(signal.SIGSTOP)
        try:
            wait_for(
                lambda: (now := read_tally(line.ledger).unseen_s)["fetch"] > 7 > now["control"],
                what="no sign of it, and of the other one",
            )
        finally:
            fetch.send_signal(signal.SIGCONT)


def test_worker_stops_though_redis_is_lost_as_it_sends_an_event(short_folder, emulator):
    with running_valkey(short_folder) as valkey:
        line = make_line(f"redis+socket://{short_folder}/s", emulator, short_folder / "line", "lost-redis")
        worker = start_worker("fetch", line)
        try:
            wait_until_ready(line, ["fetch"], [worker])
            valkey.send_signal(signal.SIGSTOP)
            frozen = time.monotonic()
            wait_for(lambda: time.monotonic() > frozen + 2 * HEARTBEAT_SECS, what="a heartbeat that is being sent")
            valkey.kill()
            worker.terminate()
            assert worker.wait(60) == 0
        finally:
            worker.kill()
    line.client.close()


def test_command_waits_for_no_second_worker_to_reply(line, monkeypatch):
    """One that serves the queue is enough; only where none replies does a command wait for the whole time."""
    monkeypatch.setattr(attach, "REPLY_SECS", 120.0)
    began = time.monotonic()
    assert attach.has_workers(Settings(redis_url=line.broker, namespace=line.namespace))
    assert time.monotonic() - began < 60
    monkeypatch.setattr(attach, "REPLY_SECS", 0.5)
    assert not attach.has_workers(Settings(redis_url=line.broker, namespace="others"))
