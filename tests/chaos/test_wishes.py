"""A worker dies, or freezes, while it retries, cancels or resurrects: nobody pays for more than was asked for."""

import signal
import socket

import pytest
from cases import is_struck, start_faulty_worker
from real_parts import make_line, start_worker, wait_for

from actorline.jobs.sender import FROM_TERMINAL
from actorline.orders.cancel import cancel_job

pytestmark = pytest.mark.timeout(200)

HOST = socket.gethostname()
FAILING = {"items": 0, "duration_secs": 0, "final_status": "FAILED"}


@pytest.fixture
def struck_line(valkey, emulator, tmp_path):
    """Makes a line with a worker that a fault strikes; `next_worker` starts a sound one when it has."""
    workers = []

    def make(namespace, *, dataset_lag_secs="0.5", **fault):
        line = make_line(valkey, emulator, tmp_path, namespace, dataset_lag_secs=dataset_lag_secs)
        workers.append(start_faulty_worker(line, fault))

        def next_worker():
            wait_for(lambda: is_struck(workers[0]), within=90, what="the blow")
            workers.append(start_worker("all", line))
            return workers[0]

        return line, next_worker

    yield make
    for worker in workers:
        worker.send_signal(signal.SIGCONT)
        worker.terminate()
    for worker in workers:
        worker.wait(60)


def ended(line, key, attempt):
    job = line.ledger.load(key)
    return job if job and job.is_terminal and job.attempt == attempt else None


def test_worker_killed_after_a_retry_pays_for_one_more_run(struck_line):
    line, next_worker = struck_line("retry-killed", CHAOS_DIE="tasks.retry:retry_any 1 after")
    actor = line.emulator.actor("retry-killed", **FAILING)
    line.submit({"key": "k", "actor": actor, "poll_interval_secs": 1})
    wait_for(lambda: ended(line, "k", 1), what="the first end")
    answer = line.send("actorline.retry", "k")
    next_worker()
    wait_for(lambda: ended(line, "k", 2), within=60, what="the retry's end")
    assert answer.get(timeout=60)["attempt"] == 2  # the message that came again has been through
    assert (line.ledger.load("k").retries, len(line.emulator.starts(actor))) == (1, 2)


def test_worker_killed_after_a_cancel_stops_no_later_retry(struck_line):
    line, next_worker = struck_line("cancel-killed", CHAOS_DIE="tasks.cancel:cancel_any 1 after")
    actor = line.emulator.actor("cancel-killed", items=0, duration_secs=90)
    line.submit({"key": "k", "actor": actor, "poll_interval_secs": 1})
    wait_for(lambda: (job := line.ledger.load("k")) and job.run.id, what="the run")
    answer = line.cancel("k")
    next_worker()
    assert answer.get(timeout=60)["key"] == "k"
    wait_for(lambda: line.state("k") == "CANCELLED", within=60, what="the end")
    line.send("actorline.retry", "k").get(timeout=20)
    line.client.send_task("actorline.cancel", ["k"], queue=line.namespace, task_id=answer.id)
    line.send("actorline.status", "k").get(timeout=20)
    assert wait_for(lambda: line.state("k") == "RUNNING", what="the retried run")
    assert line.ledger.load("k").stop_wish is None
    line.cancel("k").get(timeout=20)
    wait_for(lambda: line.state("k") == "CANCELLED", what="the end of the retried job")


def test_worker_killed_as_it_ends_a_cancelled_job_reads_no_more(struck_line):
    fault = {"CHAOS_DIE": "actorline.stages.collect.contents:Contents.make 1 before"}
    line, next_worker = struck_line("collect-killed", dataset_lag_secs="600", **fault)
    actor = line.emulator.actor("collect-killed", items=0, duration_secs=0)
    line.submit({"key": "k", "actor": actor, "poll_interval_secs": 1})
    wait_for(lambda: line.emulator.requests("GET", items_of(line, "k")), what="rows that may still come")
    line.cancel("k")
    next_worker()
    wait_for(lambda: line.state("k") == "CANCELLED", within=60, what="the end")
    assert len(line.emulator.requests("GET", items_of(line, "k"))) == 1


def items_of(line, key):
    job = line.ledger.load(key)
    return f"/v2/datasets/{job.run.dataset_id if job else None}/items"


def test_worker_frozen_before_resurrecting_sends_nothing_after(struck_line):
    fault = {"CHAOS_FREEZE": "actorline.stages.watch.resurrection:Resurrector._announce 1 after"}
    line, next_worker = struck_line("resurrect-frozen", **fault)
    actor = line.emulator.actor("resurrect-frozen", **FAILING, resurrected={"duration_secs": 60})
    line.submit({"key": "k", "actor": actor, "poll_interval_secs": 1, "on_failure": {"resurrect": 1}})
    frozen = next_worker()
    cancel_job(line.ledger, "k", sender=FROM_TERMINAL)  # a message might go to the frozen worker
    wait_for(lambda: line.state("k") == "CANCELLED", within=60, what="the end")
    frozen.send_signal(signal.SIGCONT)
    wait_for(lambda: line.client.control.ping([f"all-{frozen.pid}@{HOST}"], timeout=0.5), what="a worker that is awake")
    wait_for(lambda: not line.ledger.redis.exists(line.ledger.name("lease", "start", "k")), what="the lease's end")
    (run,) = line.emulator.runs_of(actor)
    assert run["status"] == "FAILED"
    assert line.emulator.requests("POST", f"/v2/actor-runs/{run['id']}/resurrect") == []
