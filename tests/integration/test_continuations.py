"""What a caller hangs on `actorline.run` goes on at the job's end: link, link_error, chain, group, chord."""

import uuid
from typing import Any

import pytest
from celery import chain, chord, group
from celery.exceptions import ChordError
from real_parts import reason_of

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(scope="module")
def actors(line) -> dict[str, str]:
    """Actors by how their runs end, each with 300 rows but the last one."""
    quick = {"items": 300, "duration_secs": 0}
    return {
        "good": line.emulator.actor("goes-on", **quick),
        "half": line.emulator.actor("goes-on-partly", **quick, final_status="FAILED"),
        "bad": line.emulator.actor("goes-nowhere", duration_secs=0, items=0, final_status="FAILED"),
    }


@pytest.fixture
def order(line, actors):
    """Makes the signature of an order, as a service writes it."""

    def make(actor: str, **fields: Any) -> Any:
        document = {"actor": actors[actor], "poll_interval_secs": 1, **fields}
        return line.client.signature("actorline.run", args=[document], queue=line.namespace)

    return make


@pytest.fixture
def own(line):
    """Makes the signature of one of the service's own tasks, on the queue that its worker listens to."""
    return lambda task, *args: line.client.signature(f"service.{task}", args=args, task_id=str(uuid.uuid4()))


def outcome(line, signature: Any) -> Any:
    """What the task that a continuation made returned."""
    return line.client.AsyncResult(signature.options["task_id"]).get(timeout=120)


def was_sent(line, signature: Any) -> bool:
    return line.client.AsyncResult(signature.options["task_id"]).state != "PENDING"


def test_link_runs_with_the_result(line, order, own):
    linked, on_error = own("items"), own("echo")
    assert order("good").apply_async(link=linked, link_error=on_error).get(timeout=120)["state"] == "DELIVERED"
    assert outcome(line, linked) == 300
    assert not was_sent(line, on_error)


def test_link_error_runs_with_the_id_of_the_failed_task(line, order, own):
    linked, on_error = own("items"), own("echo")
    failing = order("bad").apply_async(link=linked, link_error=on_error)
    with pytest.raises(Exception) as raised:  # noqa: PT011
        failing.get(timeout=120)
    assert type(raised.value).__name__ == "JobFailed"
    assert outcome(line, on_error) == [failing.id]
    assert not was_sent(line, linked)


def test_link_error_of_a_refused_order_runs(line, order, own):
    on_error = own("echo")
    refused = order("good", nonsense=1).apply_async(link_error=on_error)
    assert outcome(line, on_error) == [refused.id]


@pytest.mark.parametrize(("actor", "state"), [("good", "DELIVERED"), ("half", "PARTIAL")])
def test_chain_goes_on_with_the_result(line, order, own, actor, state):
    pending = chain(order(actor), own("items"), own("echo")).apply_async()
    assert pending.get(timeout=120) == [300]
    assert pending.parent.parent.get(timeout=120)["state"] == state


def test_chain_ends_with_the_exception_of_the_job(line, order, own):
    then = own("items")
    pending = chain(order("bad"), then).apply_async()
    with pytest.raises(Exception) as raised:  # noqa: PT011
        pending.get(timeout=120)
    assert type(raised.value).__name__ == "JobFailed"
    assert reason_of(raised.value)["code"] == "run-failed"


def test_order_in_the_middle_of_a_chain_is_answered_in_its_place(line, order, own):
    pending = chain(own("echo", 1), order("good").set(immutable=True), own("items")).apply_async()
    assert pending.get(timeout=120) == 300


def test_group_gives_each_order_its_own_result(line, order):
    pending = group(order("good"), order("half"), order("good")).apply_async()
    assert [result["state"] for result in pending.get(timeout=120)] == ["DELIVERED", "PARTIAL", "DELIVERED"]


def test_chord_of_three_orders_runs_its_body_once(line, order, own):
    body = chord([order("good"), order("half"), order("good")])(own("total"))
    assert body.get(timeout=120) == 900


def test_chord_with_a_failed_order_never_runs_its_body(line, order, own):
    body = chord([order("good"), order("bad")])(own("total"))
    with pytest.raises(Exception, match="run-failed") as raised:
        body.get(timeout=120)
    assert type(raised.value).__name__ == "JobFailed"
    with pytest.raises(ChordError, match="JobFailed"):
        line.client.AsyncResult(body.id).get(timeout=120)


def test_two_members_of_a_group_with_one_key_share_one_run(line, order, own):
    body = chord([order("good", key="shared-by-two"), order("good", key="shared-by-two")])(own("total"))
    assert body.get(timeout=120) == 600
    assert line.events("shared-by-two").count("run-known") == 1


def test_chain_on_a_job_that_has_ended_goes_on_at_once(line, order, own):
    order("good", key="ended-already").apply_async().get(timeout=120)
    assert chain(order("good", key="ended-already"), own("items")).apply_async().get(timeout=120) == 300
