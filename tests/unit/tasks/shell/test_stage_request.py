"""A stage that ends here sends nothing after it, stores nothing, and makes no traceback."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.app import trace
from celery.exceptions import Ignore

from tasks.shell.order_request import KEPT, QuietRequest, QuietTask
from tasks.shell.stage import StageTask, again
from tasks.shell.stage_request import HANDED_ON, RETRIED, StageRequest, end_here


@pytest.fixture
def app() -> Any:
    """Brokers and results in memory: what is sent is in `sent`, by its task's name."""
    app = Celery("ends", set_as_current=False, broker="memory://", backend="cache+memory://")
    app.sent = []
    app.amqp.send_task_message = lambda _, name, *__, **___: app.sent.append(name)
    yield app
    app.close()


def run_once(app: Celery, base: Any, how: Any) -> Any:
    """Run a task as a worker does; return what Celery makes of it."""
    following = app.signature("following", immutable=True)
    given = {"id": "1", "chain": [following], "callbacks": [following], "delivery_info": {}}

    @app.task(bind=True, base=base, name="stage", shared=False)
    def stage(self: Any, key: str, epoch: int) -> Any:
        return how(self)

    return trace.build_tracer(stage.name, stage, app=app)("1", ("k", 1), {}, given)


def ignored(_: Any) -> None:
    raise Ignore


@pytest.mark.parametrize(
    ("base", "how", "returned", "sent"),
    [
        (StageTask, ignored, HANDED_ON, []),
        (StageTask, lambda task: again(task, 5), RETRIED, ["stage"]),
        (StageTask, lambda task: task.replace(task.app.signature("next", immutable=True)), HANDED_ON, ["next"]),
        (QuietTask, lambda task: end_here(task, KEPT), KEPT, []),
        (StageTask, lambda _: None, None, ["following", "following"]),
    ],
)
def test_a_stage_that_ends_here_is_followed_by_nothing(app, monkeypatch, base, how, returned, sent):
    monkeypatch.setattr(trace, "ExceptionInfo", lambda *_, **__: pytest.fail("a traceback was made"))
    outcome = run_once(app, base, how)
    assert outcome.info is None
    assert outcome.retval == returned
    assert app.sent == sent
    assert app.AsyncResult("1").state == "PENDING"


@pytest.mark.parametrize(
    ("request_class", "returned", "shown"),
    [
        (StageRequest, HANDED_ON, ["task-succeeded"]),
        (StageRequest, RETRIED, ["task-retried"]),
        (StageRequest, None, ["task-succeeded"]),
        (QuietRequest, KEPT, []),
        (QuietRequest, "'kept for long'", ["task-succeeded"]),
    ],
)
def test_events_say_what_became_of_a_stage(request_class, returned, shown):
    sent: list[str] = []
    request = object.__new__(request_class)
    request._eventer = SimpleNamespace(enabled=True, send=lambda kind, **_: sent.append(kind))
    request._task, request.id = SimpleNamespace(send_events=True), "1"
    request.send_event("task-succeeded", result=repr(returned), runtime=1.0)
    assert sent == shown
