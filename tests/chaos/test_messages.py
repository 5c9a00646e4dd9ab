"""The broker loses or doubles a message of the pipeline: the job comes to its end, and pays once."""

import pytest
from cases import Case, assert_paid_once_and_whole

pytestmark = pytest.mark.timeout(400)  # a case may queue behind others

MESSAGES = {  # task -> how many of its messages the job sends
    "start_run": 1,
    "poll_run": 1,
    "fetch_pages": 1,
    "fetch_page": 2,
    "finish_job": 1,
    "answer": 1,
}
CONTINUING = 2  # of them one orders before the end: who has no continuation is answered without a message


def cases(fault: str) -> list[Case]:
    return [
        Case(
            f"{task}-{nth}-{fault}",
            worker={f"CHAOS_{fault.upper()}": f"actorline.{task} {nth}"},
            callers=CONTINUING if task == "answer" else 0,
        )
        for task, times in MESSAGES.items()
        for nth in range(1, times + 1)
    ]


@pytest.mark.parametrize("case", cases("lose"), ids=lambda case: case.name)
def test_lost_message_is_made_up_for(outcome_of, case):
    outcome = outcome_of(case)
    assert_paid_once_and_whole(outcome)
    assert outcome.served == case.callers


@pytest.mark.parametrize("case", cases("double"), ids=lambda case: case.name)
def test_doubled_message_changes_nothing(outcome_of, case):
    outcome = outcome_of(case)
    assert_paid_once_and_whole(outcome)
    assert outcome.served == case.callers


CALLERS = 10
EACH_ONCE = [*((task, 1) for task in MESSAGES), *(("answer", nth) for nth in range(2, CALLERS // 2 + 1))]
EVERY_MESSAGE_LOST = ", ".join(f"actorline.{task} {nth}" for task, nth in EACH_ONCE)


@pytest.mark.parametrize(
    "case", [Case("ten-callers", worker={"CHAOS_LOSE": EVERY_MESSAGE_LOST}, callers=CALLERS - 1)], ids=["lose"]
)
def test_ten_callers_are_served_though_each_message_is_lost_once(outcome_of, case):
    outcome = outcome_of(case)
    assert_paid_once_and_whole(outcome)
    assert outcome.served == CALLERS - 1
