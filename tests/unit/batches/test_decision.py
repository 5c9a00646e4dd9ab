"""What a batch does next, decided on what the ledger says of it."""

from typing import Any

import pytest

from actorline.batches.batch import Batch
from actorline.batches.decision import (
    Close,
    Expire,
    Make,
    Nothing,
    Rerun,
    Rest,
    StopMembers,
    StoreInputs,
    held_for,
    next_step,
)
from actorline.batches.end import judge_end
from actorline.batches.retry import plan_of_batch
from actorline.batches.states import BatchEvent
from actorline.errors import Code, Reason
from actorline.jobs.document.lengths import STORED
from actorline.jobs.states import State


def batch(**fields: Any) -> Batch:
    order = {"max_running": 10, "stop_after_failures": None, "deadline_secs": None}
    given = {name: fields.pop(name) for name in list(fields) if name in order}
    stored = {
        "key": "b", "hash": "h", "state": "RUNNING", "queued_at": 1_000, "sink": "file:///x/", "inputs": 100,
        "document": Batch.model_fields["document"] and _document({**order, **given}), **fields,
    }  # fmt: skip
    return Batch.model_validate(stored, context=STORED)


def _document(fields: dict[str, Any]) -> str:
    from actorline.batches.document import BatchDocument

    raw = {"template": {"actor": "demo/rows"}, "inputs": [{}], **fields}
    return BatchDocument.model_validate(raw).stored_text()


STEPS = {
    "its inputs come first": ({"inputs": None, "state": "QUEUED"}, StoreInputs()),
    "the first wave is as large as allowed": ({}, Make(0, 10)),
    "only what is free is filled up": ({"made": 50, "live": 7}, Make(50, 3)),
    "the last wave has what is left": ({"made": 98, "live": 0}, Make(98, 2)),
    "a full batch rests": ({"made": 50, "live": 10}, Rest()),
    "more than allowed, by a retry of one, rests": ({"made": 50, "live": 11}, Rest()),
    "all made, some live": ({"made": 100, "live": 1}, Rest()),
    "all ended": ({"made": 100, "live": 0}, Close()),
    "a retry runs members again before it makes more": (
        {"made": 50, "rerun_from": 20, "rerun_to": 50, "live": 4}, Rerun(20, 50, 6),
    ),
    "a cancel stops what runs": ({"wanted": "cancel", "live": 3}, StopMembers()),
    "a cancel closes when nothing runs": ({"wanted": "cancel", "made": 3}, Close()),
    "a cancel before the inputs": ({"wanted": "cancel", "inputs": None, "state": "QUEUED"}, Close()),
    "too many failures make no more": (
        {"stop_after_failures": 3, "made": 50, "live": 2, "ended:FAILED": 2, "ended:EXPIRED": 1}, Rest(),
    ),
    "too many failures close at the end": ({"stop_after_failures": 3, "made": 50, "ended:FAILED": 3}, Close()),
    "failures below the limit": ({"stop_after_failures": 4, "made": 50, "live": 9, "ended:FAILED": 3}, Make(50, 1)),
    "the deadline": ({"deadline_secs": 500.0}, Expire()),
    "a deadline counts from the last retry": ({"deadline_secs": 500.0, "retried_at": 1_900}, Make(0, 10)),
    "an ended batch": ({"state": "PARTIAL"}, Nothing()),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_next_step(name):
    fields, step = STEPS[name]
    assert next_step(batch(**fields), now=2_000) == step


def test_batch_waits_for_what_all_its_members_wait_for():
    waiting = [(State.WAITING, "budget")] * 3
    assert held_for(waiting) == "budget"
    assert held_for([*waiting, (State.RUNNING, "budget")]) is None
    assert held_for([(State.WAITING, "capacity")]) is None
    assert held_for([]) is None


ENDS = {
    "all delivered": ({"made": 100, "ended:DELIVERED": 100, "wanted": "cancel"}, BatchEvent.DELIVER, None),
    "some failed": ({"ended:DELIVERED": 99, "ended:FAILED": 1}, BatchEvent.DELIVER_PARTIAL, Code.MEMBERS_FAILED),
    "all failed": ({"ended:FAILED": 100}, BatchEvent.FAIL, Code.MEMBERS_FAILED),
    "some rows": ({"ended:PARTIAL": 1, "ended:FAILED": 99}, BatchEvent.DELIVER_PARTIAL, Code.MEMBERS_FAILED),
    "stopped": ({"stop_after_failures": 2, "ended:FAILED": 2}, BatchEvent.FAIL, Code.TOO_MANY_FAILURES),
    "cancelled": ({"ended:DELIVERED": 5, "wanted": "cancel"}, BatchEvent.CANCEL, Code.CANCELLED),
    "expired": ({"ended:DELIVERED": 5, "wanted": "expire"}, BatchEvent.EXPIRE, Code.DEADLINE),
    "before its inputs": ({"inputs": None, "wanted": "cancel"}, BatchEvent.CANCEL, Code.CANCELLED),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_end(name):
    fields, event, code = ENDS[name]
    judged, reason = judge_end(batch(**fields), billed=True)
    assert (judged, reason.code if reason else None) == (event, code)


def test_reason_says_what_is_left():
    _, reason = judge_end(
        batch(**{"made": 40, "ended:DELIVERED": 30, "ended:FAILED": 9, "ended:CANCELLED": 1}), billed=True
    )
    assert reason.message == (
        "30 of 100 inputs were delivered; 9 are FAILED; 1 is CANCELLED; 60 were not started. `retry` runs what isn't "
        "delivered."
    )


def test_reason_says_why_the_first_member_failed(make_job):
    why = Reason(code=Code.ACTOR_NOT_FOUND, message="Actor was not found. No run was started.", billed=False)
    failed = make_job(key="shops.000003", state=State.FAILED, reason=why.model_dump(mode="json"))
    _, reason = judge_end(batch(**{"made": 100, "ended:FAILED": 100}), billed=False, failed=failed)
    assert "shops.000003 failed: Actor was not found. No run was started. `retry` runs" in reason.message


def test_reason_says_why_the_first_member_is_partial(make_job):
    why = Reason(code=Code.GUARD_BROKEN, message="The rows broke their contract.", billed=True)
    partial = make_job(key="shops.000003", state=State.PARTIAL, reason=why.model_dump(mode="json"))
    _, reason = judge_end(batch(**{"made": 100, "ended:PARTIAL": 100}), billed=True, failed=partial)
    assert "shops.000003 is partial: The rows broke their contract. `retry` runs" in reason.message


@pytest.mark.parametrize(
    ("delivered", "words"),
    [(99, "1 of its inputs isn't delivered: it runs"), (90, "10 of its inputs aren't delivered: each")],
)
def test_a_retry_counts_the_inputs_that_run_again(delivered, words):
    plan = plan_of_batch(batch(**{"state": "PARTIAL", "ended:DELIVERED": delivered}))
    assert (plan.pays, plan.text.startswith(words)) == (True, True)
