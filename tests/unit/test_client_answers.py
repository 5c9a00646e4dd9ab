"""What a service's client makes of Celery's answers, without a broker."""

import pytest
from celery.exceptions import TaskRevokedError
from celery.result import denied_join_result

from actorline.client import Client, parse_answer
from actorline.errors import Code, JobCancelled, JobExpired, JobFailed, JobRefused, Reason, Refused
from actorline.jobs.job_result import JobResult
from actorline.jobs.outcome import exception_for
from actorline.jobs.states import State

NOWHERE = "redis://127.0.0.1:1/0"


def result(state: State, code: Code | None = None, *, billed: bool = True) -> JobResult:
    reason = (
        Reason(code=code, message="why", billed=billed) if code else Reason(code="conflict", message="", billed=False)
    )
    return JobResult.refused("k", state, reason).model_copy(update={} if code else {"reason": None})


@pytest.mark.parametrize(
    ("state", "code", "billed", "raised"),
    [
        (State.DELIVERED, None, True, None),
        (State.PARTIAL, Code.RUN_FAILED, True, None),
        (State.FAILED, Code.RUN_FAILED, True, JobFailed),
        (State.FAILED, Code.SINK_FAILED, False, JobFailed),
        (State.FAILED, Code.CONFLICT, False, JobRefused),
        (State.FAILED, Code.ACTOR_NOT_FOUND, False, JobRefused),
        (State.FAILED, Code.AUTH, True, JobFailed),
        (State.CANCELLED, Code.CANCELLED, True, JobCancelled),
        (State.EXPIRED, Code.DEADLINE, False, JobExpired),
    ],
)
def test_each_end_is_returned_or_raised(state, code, billed, raised):
    assert exception_for(result(state, code, billed=billed)) is raised


def test_the_result_is_found_in_any_class_celery_makes():
    expected = result(State.FAILED, Code.RUN_FAILED)
    foreign = type("JobFailed", (Exception,), {})
    for answer in (JobFailed(expected.model_dump_json()), foreign(expected.model_dump_json())):
        assert parse_answer(answer) == expected
    assert parse_answer(expected.model_dump(mode="json")) == expected


@pytest.mark.parametrize("answer", [TaskRevokedError("revoked"), ValueError(), KeyError(3)])
def test_an_exception_that_is_none_of_ours_stays_what_it_is(answer):
    with pytest.raises(type(answer)) as caught:
        parse_answer(answer)
    assert caught.value is answer


def test_a_bad_document_is_refused_before_anything_is_sent():
    with Client(NOWHERE, NOWHERE) as client, pytest.raises(Refused, match='did you mean "actor"'):
        client.submit({"actr": "apify/web-scraper"})


def test_waiting_inside_a_task_is_refused():
    with Client(NOWHERE, NOWHERE) as client, denied_join_result():
        for wait in (lambda: client.wait("k", timeout=1), lambda: client.status("k"), lambda: client.cancel("k")):
            with pytest.raises(RuntimeError, match="Never call"):
                wait()


def test_a_client_takes_its_addresses_from_the_settings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTORLINE_REDIS_URL", "redis://redis.test:6379/4")
    monkeypatch.setenv("ACTORLINE_NAMESPACE", "shop")
    with Client.from_settings() as client:
        assert client._celery.conf.broker_url == "redis://redis.test:6379/4"
        assert client._celery.conf.result_backend == "redis://redis.test:6379/5"
        assert client._queue == "shop"
