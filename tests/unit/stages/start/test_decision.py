"""What comes next in a start, for everything that may be known of it."""

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest

from actorline.errors import Code, Reason
from actorline.jobs.job import Intent, StopWish
from actorline.ledger.continuity import HistoryGap
from actorline.platform.datasets import Dataset
from actorline.platform.start import SendBy
from actorline.stages.start.decision import OTHER_START_SECS, PUT_OFF_SECS, Facts, Turn, is_settled, next_start_step
from actorline.stages.start.permit import Permit
from actorline.stages.start.run_input import RunInput
from actorline.stages.start.steps import (
    Adopt,
    Announce,
    AskForRoom,
    AskForTurn,
    AskPerson,
    CheckSink,
    Collect,
    FindDataset,
    FindDelivery,
    FindLostRuns,
    FindRun,
    Inquiry,
    ObeyStopWish,
    PlanAgain,
    ReadInput,
    Refuse,
    Reuse,
    Search,
    SearchAgain,
    SearchEarly,
    StartAgain,
    TakeLease,
    WaitTurn,
)

NOW = 1_100.0
ALL = frozenset(get_args(Inquiry))
PERMIT = Permit(lease=None, send_by=SendBy(10), gap=HistoryGap("500"))
INTENT = {"attempt": 1, "marker": "m", "at": NOW}
OLD_INTENT = {**INTENT, "at": NOW - 10.1}
READ = RunInput(b"elsewhere")
DATASET = Dataset(id="d", item_count=5)
REFUSAL = Refuse(Reason(code=Code.SINK_REFUSED, message="full", billed=False))
ELSEWHERE = {"actor": "x", "input_url": "https://example.com/i.json"}
SYNC = {"actor": "x", "mode": "sync"}


def facts(**known):
    return Facts(**{"now": NOW, "runs": (), "send_by_s": 10, "known": ALL, "permit": PERMIT, **known})


def unasked(*inquiries):
    return ALL - set(inquiries)


@pytest.mark.parametrize(
    ("order", "questions"),
    [
        ({"actor": "x"}, [FindDelivery, CheckSink, AskForTurn, AskForRoom, TakeLease, FindLostRuns]),
        (ELSEWHERE, [FindDelivery, CheckSink, AskForTurn, ReadInput, AskForRoom, TakeLease, FindLostRuns]),
        ({"dataset_id": "d"}, [FindDelivery, CheckSink, FindDataset]),
        ({"run_id": "r"}, [FindDelivery, CheckSink, FindRun]),
    ],
)
def test_questions_come_in_the_order_of_the_protocol(make_job, order, questions):
    job, known = make_job(order=order), facts(known=frozenset(), permit=None)
    asked = []
    while isinstance(step := next_start_step(job, known), Inquiry):
        asked.append(type(step))
        findings = {TakeLease: {"permit": PERMIT}, FindDataset: {"dataset": DATASET}, FindRun: {"found": ["r"]}}
        known = replace(known.asked(step), **findings.get(type(step), {}))
    assert asked == questions
    assert not isinstance(step, Inquiry)


@pytest.mark.parametrize(
    ("job", "known", "step"),
    [
        # before a run
        ({"stop_wish": "cancel"}, {"known": frozenset()}, ObeyStopWish(StopWish.CANCEL)),
        ({"order": {"actor": "x", "deadline_secs": 60}}, {"known": frozenset()}, ObeyStopWish(StopWish.EXPIRE)),
        ({}, {"obstacle": REFUSAL}, REFUSAL),
        ({}, {"turn": Turn.PAUSED}, WaitTurn(Code.PAUSED, "Paid runs are paused: actorline resume starts them again.")),
        (
            {},
            {"turn": Turn.OTHERS_FIRST},
            WaitTurn(Code.CAPACITY, "The account has no room for another run, and other jobs come first."),
        ),
        # no thread is free to wait for the platform
        ({}, {"is_platform_busy": True, "known": frozenset()}, FindDelivery()),
        (
            {},
            {"is_platform_busy": True},
            WaitTurn(
                Code.PLATFORM_UNAVAILABLE,
                "The platform responds slowly or not at all. No run was started; the job tries again.",
                was_refused=True,
            ),
        ),
        ({"order": {"dataset_id": "d"}}, {"is_platform_busy": True}, PlanAgain(PUT_OFF_SECS)),
        ({"order": {"run_id": "r"}}, {"is_platform_busy": True}, PlanAgain(PUT_OFF_SECS)),
        ({"intent": INTENT, "stop_wish": "cancel"}, {"is_platform_busy": True}, PlanAgain(PUT_OFF_SECS)),
        ({"stop_wish": "cancel"}, {"is_platform_busy": True, "runs": ["r"]}, PlanAgain(PUT_OFF_SECS)),
        # what exists already
        ({"order": {"dataset_id": "d"}}, {}, FindDataset("d")),
        ({"order": {"dataset_id": "d"}}, {"dataset": DATASET}, Collect(DATASET)),
        ({"order": {"run_id": "r"}}, {}, FindRun("r")),
        ({"order": {"run_id": "r"}}, {"found": ["r"]}, Adopt(["r"])),
        # to the lease: with a run, or an intent, no input is read and nobody's wish ends the job before the search
        ({"order": ELSEWHERE}, {"known": unasked(ReadInput, TakeLease)}, ReadInput(ELSEWHERE["input_url"])),
        ({"order": ELSEWHERE, "intent": INTENT}, {"known": frozenset()}, TakeLease()),
        ({"order": ELSEWHERE}, {"runs": ["r"], "known": frozenset()}, TakeLease()),
        ({"stop_wish": "cancel", "intent": INTENT}, {"known": frozenset()}, TakeLease()),
        ({"stop_wish": "cancel"}, {"runs": ["r"], "known": frozenset()}, TakeLease()),
        # another execution has the lease
        ({}, {"permit": None}, PlanAgain(OTHER_START_SECS)),
        ({"intent": INTENT}, {"permit": None, "known": unasked(SearchEarly)}, PlanAgain(OTHER_START_SECS)),
        (
            {"intent": OLD_INTENT},
            {"permit": None, "known": unasked(SearchEarly)},
            SearchEarly(Intent.model_validate(OLD_INTENT)),
        ),
        ({"intent": OLD_INTENT}, {"permit": None}, PlanAgain(OTHER_START_SECS)),
        ({"intent": OLD_INTENT}, {"permit": None, "found": ["a", "b"]}, Adopt(["a", "b"])),
        (
            {"intent": {**INTENT, "at": NOW - 2.1}, "order": SYNC},
            {"permit": None, "known": unasked(SearchEarly)},
            SearchEarly(Intent.model_validate({**INTENT, "at": NOW - 2.1})),
        ),
        # under the lease: the run is there
        ({}, {"runs": ["a", "b"]}, Adopt(["a"])),
        ({"intent": INTENT, "stop_wish": "cancel"}, {"runs": ["a"]}, Adopt(["a"])),
        # a start of which nobody knows
        ({"intent": INTENT}, {"known": unasked(Search)}, Search(Intent.model_validate(INTENT), PERMIT)),
        ({"intent": INTENT, "stop_wish": "cancel"}, {"found": ["a", "b"]}, Adopt(["a", "b"])),
        ({"intent": INTENT, "stop_wish": "cancel"}, {}, SearchAgain()),
        ({"intent": INTENT}, {}, SearchAgain()),
        ({"intent": INTENT}, {"suspects": []}, StartAgain()),
        ({"intent": INTENT}, {"suspects": ["s"]}, AskPerson(["s"])),
        ({"intent": INTENT, "stop_wish": "cancel"}, {"suspects": []}, ObeyStopWish(StopWish.CANCEL, [])),
        ({"intent": INTENT, "stop_wish": "cancel"}, {"suspects": ["s"]}, ObeyStopWish(StopWish.CANCEL, ["s"])),
        # the ledger may have lost a run
        ({}, {"known": unasked(FindLostRuns)}, FindLostRuns(PERMIT)),
        ({"fresh": True, "queued_at": 500}, {"known": unasked(FindLostRuns)}, FindLostRuns(PERMIT)),
        ({"fresh": True, "queued_at": 501}, {"known": unasked(FindLostRuns)}, Announce(PERMIT, None)),
        ({}, {"is_late": True, "found": ["a"]}, PlanAgain(0)),
        ({}, {"found": ["a", "b"]}, Adopt(["a", "b"])),
        # nothing is left that could be its run
        ({}, {}, Announce(PERMIT, None)),
        ({"order": ELSEWHERE}, {"given": READ}, Announce(PERMIT, READ)),
    ],
)
def test_next_step_of_a_start(make_job, job, known, step):
    assert next_start_step(make_job(**job), facts(**known)) == step


def test_an_earlier_delivery_comes_before_the_sink_is_asked(make_job):
    earlier = make_job(key="earlier")
    known = facts(delivery=earlier, known=frozenset({FindDelivery}))
    assert next_start_step(make_job(), known) == Reuse(earlier)


def every_case(make_job):
    """Each job, with everything that can be known of it but at most one thing."""
    jobs = [
        make_job(stop_wish=stop_wish, fresh=fresh, **intent)
        for stop_wish, fresh, intent in product(["", "cancel"], [True, False], [{}, {"intent": INTENT}])
    ]
    everything = {
        "known": [ALL, *(unasked(inquiry) for inquiry in ALL)],
        "runs": [[], ["a"]],
        "found": [[], ["b"]],
        "permit": [PERMIT, None],
        "turn": list(Turn),
        "is_late": [True, False],
        "is_platform_busy": [True, False],
        "obstacle": [None, REFUSAL],
        "suspects": [None, [], ["s"]],
    }
    for values in product(*everything.values()):
        known = facts(**dict(zip(everything, values, strict=True)))
        for job in jobs:
            yield job, known, next_start_step(job, known)


def test_start_is_sent_only_if_nothing_can_be_its_run(make_job):
    sent = [(job, known) for job, known, step in every_case(make_job) if isinstance(step, Announce)]
    assert sent
    for job, known in sent:
        assert known.known >= {FindDelivery, CheckSink, AskForTurn, TakeLease}
        assert known.permit is PERMIT
        assert known.turn is Turn.FREE
        assert not any((job.intent, job.stop_wish, known.runs, known.obstacle, known.is_platform_busy))
        assert job.fresh or (FindLostRuns in known.known and not known.found and not known.is_late)


def test_intent_is_given_up_only_after_a_search(make_job):
    given_up = Announce | StartAgain | ObeyStopWish | Reuse | Refuse | WaitTurn
    steps = [
        (known, step)
        for job, known, step in every_case(make_job)
        if job.intent and not known.obstacle and isinstance(step, given_up)
    ]
    assert {type(step) for _, step in steps} == {StartAgain, ObeyStopWish}
    for known, step in steps:
        assert known.permit is PERMIT
        assert Search in known.known
        assert not known.runs
        assert not known.found
        assert known.suspects is not None
        assert isinstance(step, ObeyStopWish) or not known.suspects


@pytest.mark.parametrize(
    ("sent_at", "began", "settled"),
    [
        (None, 1_129.9, False),  # sent by 1010 at the latest
        (None, 1_130, True),
        (1_050, 1_169.9, False),  # given up at 1050
        (1_050, 1_170, True),
    ],
)
def test_a_search_counts_from_the_settle_time_on(sent_at, began, settled):
    intent = Intent(attempt=1, marker="m", at=1_000, sent_at=sent_at)
    assert is_settled(intent, began_at=began, send_by_s=10, settle_s=120) is settled
