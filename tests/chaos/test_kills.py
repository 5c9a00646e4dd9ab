"""The worker is killed by SIGKILL anywhere in a job: one paid run, all rows once, every caller answered."""

import pytest
from cases import Case, assert_paid_once_and_whole
from toll import AFTER, AMID, BEFORE, Point

pytestmark = pytest.mark.timeout(400)  # a case may queue behind others

REQUESTS = {  # every request that the job makes: what it is for -> METHOD path, which of them
    "look-back": (r"^GET /v2/actor-runs$", 1),
    "start": (r"^POST /v2/actors/.*/runs$", 1),
    "poll-1": (r"^GET /v2/actor-runs/", 1),
    "poll-2": (r"^GET /v2/actor-runs/", 2),
    "dataset": (r"^GET /v2/datasets/[^/]+$", 1),
    "items-1": (r"/items$", 1),
    "items-2": (r"/items$", 2),
    "items-3": (r"/items$", 3),
    "record": (r"/records/OUTPUT$", 1),
}
AT_REQUESTS = [
    Case(f"{name}-{moment}", Point(request, nth, moment), duration_secs=3)
    for name, (request, nth) in REQUESTS.items()
    for moment in (BEFORE, AFTER, AMID)
]

ONE_OF_TWO = [
    Case(f"{name}-{AFTER}-of-two", Point(request, nth, AFTER), duration_secs=3, workers=2)
    for name, (request, nth) in REQUESTS.items()
]

STEPS = {  # where -> how often the job comes by
    "actorline.ledger.ledger:Ledger.register": 1,
    "actorline.ledger.ledger:Ledger.change": 5,
    "actorline.ledger.runs:Runs.record": 1,
    "actorline.ledger.pages:Pages.fix": 2,
    "actorline.ledger.pages:Pages.record": 2,
    "actorline.delivery.sink:LocalSink.publish": 6,
    "celery.app.base:Celery.send_task": 5,
    "tasks.shell.answers:store_answer": 1,
    "actorline.ledger.callers:Callers.forget": 1,
}
AT_STEPS = [
    Case(
        f"{place.rpartition(':')[2].lower().replace('.', '-')}-{nth}-{moment}",
        worker={"CHAOS_DIE": f"{place} {nth} {moment}"},
    )
    for place, times in STEPS.items()
    for nth in range(1, times + 1)
    for moment in ("before", "after")
    if moment == "after" or nth == 1  # before the next one is after the one before it
]


OF_ONE_PAGE = [
    *(
        Case(f"one-page-{name}-{moment}", Point(REQUESTS[name][0], REQUESTS[name][1], moment), pages=1)
        for name in ("dataset", "items-1", "items-2", "record")
        for moment in (BEFORE, AFTER, AMID)
    ),
    *(
        Case(
            f"one-page-{place.rpartition('.')[2].lower()}-{nth}", worker={"CHAOS_DIE": f"{place} {nth} after"}, pages=1
        )
        for place, times in {
            "actorline.ledger.ledger:Ledger.change": 5,
            "actorline.ledger.pages:Pages.fix": 1,
            "actorline.ledger.pages:Pages.record": 1,
            "actorline.delivery.sink:LocalSink.publish": 5,
        }.items()
        for nth in range(1, times + 1)
    ),
]

WITHOUT_KEY = [
    Case(f"keyless-{place.rpartition(':')[2]}", worker={"CHAOS_DIE": f"{place} 1 after"}, has_key=False)
    for place in ("tasks.run:submit", "tasks.run:_answer_or_send")
]


@pytest.mark.parametrize("case", WITHOUT_KEY, ids=lambda case: case.name)
def test_order_without_a_key_is_one_run_if_its_worker_dies(outcome_of, case):
    outcome = outcome_of(case)
    assert outcome.kills == 1
    assert_paid_once_and_whole(outcome)


@pytest.mark.parametrize("case", AT_REQUESTS, ids=lambda case: case.name)
def test_worker_killed_at_a_request_costs_no_run_and_no_row(outcome_of, case):
    outcome = outcome_of(case)
    assert outcome.kills == 1
    assert_paid_once_and_whole(outcome)


@pytest.mark.parametrize("case", OF_ONE_PAGE, ids=lambda case: case.name)
def test_worker_killed_in_a_job_of_one_page_costs_nothing(outcome_of, case):
    outcome = outcome_of(case)
    assert outcome.kills == 1
    assert_paid_once_and_whole(outcome)


@pytest.mark.parametrize("case", ONE_OF_TWO, ids=lambda case: case.name)
def test_living_worker_takes_over_from_a_killed_one(outcome_of, case):
    outcome = outcome_of(case)
    assert outcome.kills == 1
    assert_paid_once_and_whole(outcome)


@pytest.mark.parametrize("case", AT_STEPS, ids=lambda case: case.name)
def test_worker_killed_between_requests_costs_no_run_or_row(outcome_of, case):
    outcome = outcome_of(case)
    assert outcome.kills == 1
    assert_paid_once_and_whole(outcome)
