from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace

import pytest
from celery import Celery
from celery.utils.imports import symbol_by_name
from celery.worker.request import Request

from tasks.shell.order_request import QuietRequest, describe_order

HUSH = "pA55-w0rd"


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ([{"key": "nightly", "actor": "apify/x", "input": {"password": HUSH}}], "(key=nightly, actor=apify/x)"),
        (({"actor_task": "me/nightly", "labels": {"a": HUSH}},), "(actor_task=me/nightly)"),
        ([{"run_id": "r1", "dataset_id": None}], "(run_id=r1)"),
        ([{"key": "x" * 300}], f"(key={'x' * 200})"),
        ([{"actor": {"name": "x", "input": HUSH}, "key": [HUSH], "run_id": "r1"}], "(run_id=r1)"),
        ([{"input": HUSH}], "()"),
        ([HUSH], "(no document)"),
        ([], "(no document)"),
        ((), "(no document)"),
        (None, "(no document)"),
    ],
)
def test_of_an_order_only_key_and_target_are_shown(args, shown):
    assert describe_order(args) == shown


@pytest.fixture
def app() -> Iterator[Celery]:
    """An app with our tasks, as a worker has it."""
    import_module("tasks.run")
    app = Celery("quiet", set_as_current=False, broker="memory://")
    app.finalize()
    yield app
    app.close()


def test_an_order_is_received_as_a_quiet_request(app):
    assert issubclass(symbol_by_name(app.tasks["actorline.run"].Request), QuietRequest)


@pytest.mark.parametrize("by_name", [False, True])
def test_text_in_a_senders_headers_is_cut_before_it_is_shown(app, by_name):
    document = {"key": "nightly", "actor": "apify/x", "input": {"password": HUSH}}
    args, kwargs = ([], {"document": document}) if by_name else ([document], {})
    sent = app.amqp.as_task_v2("id-1", "actorline.run", args=args, kwargs=kwargs)
    assert HUSH in sent.headers["argsrepr"] + sent.headers["kwargsrepr"]
    message = SimpleNamespace(
        headers=dict(sent.headers),
        body=sent.body,
        properties=sent.properties,
        payload=sent.body,
        decode=lambda: sent.body,
        content_type="application/json",
        content_encoding="utf-8",
        delivery_info={},
        acknowledged=False,
    )
    request = QuietRequest(message, app=app, task=app.tasks["actorline.run"], decoded=True, hostname="here")
    shown = "(no document)" if by_name else "(key=nightly, actor=apify/x)"
    assert isinstance(request, Request)
    assert request.argsrepr == request.request_dict["argsrepr"] == request.info()["args"] == shown
    for said in (request.info(), request.info(safe=True), repr(request), str(request), request.kwargsrepr):
        assert HUSH not in repr(said)
    assert HUSH in repr((request.args, request.kwargs))  # the task itself has the whole
