"""What the pages say of a job that waits: each cause in words."""

import pytest

from actorline.errors import Code
from actorline.gateway.pages.presentation.next_step import WAITS, next_step
from actorline.jobs.job import Intent
from actorline.jobs.states import State

CAUSES = ("capacity", "paused", "budget", "platform-unavailable", "start-unclear", "ledger-not-durable", "sink-failed",
          "input-unreadable", "auth", "forbidden")  # fmt: skip


@pytest.mark.parametrize("code", CAUSES)
def test_each_cause_of_waiting_has_words(make_job, code):
    assert next_step(make_job(state=State.WAITING, waiting_for=code)) == WAITS[Code(code)]


def test_unclear_start_is_named_before_what_was_waited_for(make_job):
    intent = Intent(attempt=1, marker="m", at=1, sent_at=2, input_sha256=None)
    job = make_job(state=State.WAITING, waiting_for=None, intent=intent.model_dump_json())
    assert next_step(job) == WAITS[Code.START_UNCLEAR]


def test_run_that_can_not_be_looked_at_is_no_run_that_goes_on(make_job):
    assert "can't be looked at" in next_step(make_job(state=State.RUNNING, failures=3))
    assert "looked at every" in next_step(make_job(state=State.RUNNING))


BROKEN = {"rule": "required", "path": "price", "figure": 0.6, "limit": 0.05, "rows": 300, "message": "price is missing"}


def test_delivered_rows_that_broke_their_contract_are_named(make_job):
    assert next_step(make_job(state=State.DELIVERED)) == ""
    broken = make_job(state=State.DELIVERED, broken=BROKEN)
    assert next_step(broken) == "the rows broke their contract: price is missing"


def test_a_retry_of_rows_that_are_all_here_promises_no_others(make_job):
    reason = {"code": "guard-broken", "message": "The rows broke their contract.", "billed": True}
    run = {"run_id": "r", "run_status": "SUCCEEDED", "dataset_id": "d"}
    ended = make_job(state=State.PARTIAL, reason=reason, broken=BROKEN, **run)
    assert next_step(ended) == "The rows broke their contract; a retry judges the same rows again"


def test_rows_refused_for_the_document_need_another_one(make_job):
    reason = {"code": "document-invalid", "message": "The platform refused the rows twice: no.", "billed": True}
    ended = make_job(state=State.FAILED, reason=reason, run_id="r", run_status="SUCCEEDED", dataset_id="d")
    assert next_step(ended).endswith("no; order its dataset with another document: that costs no run")
