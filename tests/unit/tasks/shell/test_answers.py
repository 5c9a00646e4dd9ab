"""A caller without a continuation is answered where its job ended: stored, shown, forgotten, and no message."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.utils import uuid

from actorline.batches.batch import Batch
from actorline.errors import Code, JobCancelled, JobFailed
from actorline.jobs.states import State
from tasks.shell import answers
from tasks.shell.answers import answer_caller, end_for_callers, keep_caller
from tasks.shell.shown_step import listeners

OF_A_REQUEST = ("id", "chain", "callbacks", "errbacks", "chord", "group", "group_index", "root_id", "parent_id",
                "ignore_result", "delivery_info")  # fmt: skip


def kept(**of_request: Any) -> dict[str, Any]:
    return keep_caller(SimpleNamespace(**{**dict.fromkeys(OF_A_REQUEST), "id": "1", "root_id": "1", **of_request}))


CALLER = kept()


@pytest.fixture
def app(monkeypatch) -> Any:
    """Results in memory; `sent` are messages, `did` everything else, in its order."""
    app: Any = Celery("answers", broker="memory://", backend="cache+memory://")
    app.sent, app.did, app.shown = [], [], []
    app.send_task = lambda name, args, **options: app.sent.append((name, args, options["task_id"], options["shadow"]))
    store = app.backend.store_result

    def store_result(task_id: str, *args: Any, **options: Any) -> Any:
        app.did.append("store")
        return store(task_id, *args, **options)

    def show(kind: str, **fields: Any) -> None:
        app.did.append("show")
        app.shown.append((kind, fields))

    monkeypatch.setattr(app.backend, "store_result", store_result)
    monkeypatch.setattr(listeners, "send", show)
    monkeypatch.setattr(type(listeners), "are_there", True)
    callers = SimpleNamespace(forget=lambda *_: app.did.append("forget"))
    ledger = SimpleNamespace(callers=callers, load_with_callers=lambda _: (app.job, {}))
    monkeypatch.setattr(answers, "ledger", lambda: ledger)
    monkeypatch.setattr(answers, "send_notices", lambda _: None)
    yield app
    app.close()


@pytest.fixture
def ended(make_job):
    def make(state: State) -> Any:
        code = {State.FAILED: Code.RUN_FAILED, State.CANCELLED: Code.CANCELLED}.get(state)
        reason = {"code": code, "message": "why", "billed": True} if code else None
        return make_job(state=state, reason=reason)

    return make


@pytest.mark.parametrize(
    ("state", "status", "exception", "event"),
    [
        (State.DELIVERED, "SUCCESS", None, "task-succeeded"),
        (State.FAILED, "FAILURE", JobFailed, "task-failed"),
        (State.CANCELLED, "FAILURE", JobCancelled, "task-revoked"),
    ],
)
def test_waiting_caller_is_answered_once_without_a_message(app, ended, state, status, exception, event):
    task_id = uuid()
    answer_caller(ended(state), task_id, CALLER)
    assert app.did == ["store", "show", "forget"]
    assert app.sent == []
    assert app.AsyncResult(task_id).state == status
    assert exception is None or type(app.AsyncResult(task_id).result).__name__ == exception.__name__
    ((shown, fields),) = app.shown
    assert (shown, fields["name"], fields["args"]) == (event, "actorline.run", "(key=k, actor=apify/x)")
    answer_caller(ended(state), task_id, CALLER)
    assert app.did[3:] == ["forget"]


def test_of_a_caller_without_continuation_little_is_kept():
    """Each waiting job has one: nulls were 400 bytes of Redis a job."""
    assert CALLER == {"id": "1"}
    assert kept(group="g", parent_id="p", ignore_result=True, delivery_info={"priority": 3}) == {
        "id": "1",
        "group": "g",
        "parent_id": "p",
        "ignore_result": True,
    }


@pytest.mark.parametrize("follows", ["chain", "callbacks", "errbacks", "chord"])
def test_what_follows_a_caller_is_sent_on_by_a_message(app, ended, follows):
    answer_caller(ended(State.DELIVERED), "1", kept(**{follows: [{"task": "service.next"}]}))
    assert app.sent == [("actorline.answer", ["k"], "1", "actorline.run")]  # Flower goes on showing the order
    assert app.did == []  # upkeep forgets the caller when its result is there


def test_caller_that_ignores_its_result_is_only_shown(app, ended):
    task_id = uuid()
    answer_caller(ended(State.FAILED), task_id, kept(ignore_result=True))
    assert app.did == ["show", "forget"]
    assert app.AsyncResult(task_id).state == "PENDING"


@pytest.mark.parametrize(
    ("state", "event"), [(State.DELIVERED, "task-succeeded"), (State.FAILED, "task-failed")], ids=["good", "bad"]
)
def test_end_of_a_job_without_a_caller_is_shown_as_an_order_s(app, ended, state, event):
    """Else a dashboard counts no failure of what terminal, HTTP and schedules order."""
    app.job = ended(state)
    for _ in range(2):
        end_for_callers("k")
    assert [(kind, fields["name"], fields["args"]) for kind, fields in app.shown] == [
        (event, "actorline.run", "(key=k, actor=apify/x)")
    ] * 2
    assert len({fields["uuid"] for _, fields in app.shown}) == 1
    assert "store" not in app.did


def test_end_of_a_batch_is_shown_as_that_of_a_batch(app):
    """Else its row in Flower changes its name to that of an order of one job."""
    document = json.dumps({"template": {"actor": "apify/x"}, "inputs": [{}]})
    stored = {"key": "b", "document": document, "hash": "h", "state": State.DELIVERED, "queued_at": 1000.0, "sink": "/"}
    batch = Batch.model_validate(stored)
    answer_caller(batch, uuid(), CALLER)
    answer_caller(batch, "2", kept(chain=[{"task": "service.next"}]))
    ((_, fields),) = app.shown
    assert (fields["name"], fields["args"]) == ("actorline.batch", "(key=b)")
    assert app.sent == [("actorline.answer", ["b"], "2", "actorline.batch")]
