"""The table of exit codes."""

import pytest

from actorline.cli.terminal.exits import Exit, exit_of_reason, exit_of_result
from actorline.errors import Code, Reason
from actorline.jobs.job_result import JobResult
from actorline.jobs.states import State


def reason(code: Code, *, billed: bool = False) -> Reason:
    return Reason(code=code, message="why", billed=billed)


@pytest.mark.parametrize(
    ("code", "billed", "expected"),
    [
        (Code.AUTH, False, Exit.REFUSED),
        (Code.AUTH, True, Exit.FAILED),
        (Code.DOCUMENT_INVALID, False, Exit.REFUSED),
        (Code.UNKNOWN_KEY, False, Exit.REFUSED),
        (Code.CONFLICT, False, Exit.REFUSED),
        (Code.SINK_REFUSED, False, Exit.REFUSED),
        (Code.SINK_FAILED, True, Exit.UNAVAILABLE),
        (Code.REDIS_UNAVAILABLE, False, Exit.UNAVAILABLE),
        (Code.OVERLOAD, False, Exit.UNAVAILABLE),
        (Code.LEDGER_NOT_DURABLE, False, Exit.UNAVAILABLE),
        (Code.PLATFORM_UNAVAILABLE, True, Exit.UNAVAILABLE),
        (Code.RUN_FAILED, True, Exit.FAILED),
        (Code.DATASET_VANISHED, True, Exit.FAILED),
        (Code.INTERNAL, True, Exit.INTERNAL),
    ],
)
def test_reason_has_its_exit_code(code, billed, expected):
    assert exit_of_reason(reason(code, billed=billed)) is expected


@pytest.mark.parametrize(
    ("state", "why", "expected"),
    [
        (State.DELIVERED, None, 0),
        (State.PARTIAL, reason(Code.RUN_FAILED, billed=True), 6),
        (State.CANCELLED, reason(Code.CANCELLED, billed=True), 4),
        (State.EXPIRED, reason(Code.DEADLINE, billed=True), 3),
        (State.FAILED, reason(Code.RUN_FAILED, billed=True), 1),
        (State.FAILED, reason(Code.ACTOR_NOT_FOUND), 5),
        (State.FAILED, reason(Code.SINK_FAILED, billed=True), 7),
        (State.FAILED, reason(Code.INTERNAL, billed=True), 70),
        (State.FAILED, None, 1),
    ],
)
def test_end_of_a_job_has_its_exit_code(state, why, expected):
    result = JobResult.model_construct(state=state, reason=why)
    assert exit_of_result(result) == expected
