"""What a start that failed becomes: only what surely made no run lets another one go out without a search."""

from typing import get_args

import pytest
from pydantic import SecretStr
from redis.exceptions import LockError

from actorline.errors import Code, Refused
from actorline.jobs.job import Intent, StopWish
from actorline.jobs.step import LostJob
from actorline.ledger.continuity import HistoryGap
from actorline.ledger.durability import NotDurable
from actorline.platform import errors
from actorline.platform.start import SendBy, StartDeferred, StartRefused, StartUnclear
from actorline.settings import load_settings
from actorline.stages.start.decision import OTHER_START_SECS, Facts
from actorline.stages.start.outcomes import (
    NO_MEMORY,
    QUESTION_REFUSED,
    START_FAILURES,
    Failure,
    QuestionRefused,
    move_after,
    move_without_answer,
)
from actorline.stages.start.permit import Permit
from actorline.stages.start.refusal import refusal_reason
from actorline.stages.start.steps import (
    AskPerson,
    ObeyStopWish,
    PlanAgain,
    Refuse,
    StepBack,
    TryLater,
    Unclear,
    WaitTurn,
)

INTENT = Intent(attempt=1, marker="m", at=1_000)
SECRETIVE = errors.InvalidRequest("input.password is s3cret-of-ours", status=400, type="invalid-input")
NO_ROOM = errors.CapacityExceeded("no room", status=402, type="concurrent-runs-limit-exceeded")
TOO_LARGE = errors.CapacityExceeded("too large", status=402, type=NO_MEMORY)
SLOWER = errors.RateLimited("slower", status=429, retry_after_s=30)


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=tmp_path, apify_token=SecretStr("s3cret-of-ours"))


def waits(error, *, needs_less):
    reason = refusal_reason(error)
    return WaitTurn(reason.code, reason.message, was_refused=True, needs_less=needs_less)


@pytest.mark.parametrize(
    ("failure", "move"),
    [
        (StartUnclear("the reply is lost"), Unclear(INTENT, "the reply is lost")),
        (StartDeferred(NO_ROOM), waits(NO_ROOM, needs_less=False)),
        (StartDeferred(TOO_LARGE), waits(TOO_LARGE, needs_less=True)),
        (StartDeferred(SLOWER), TryLater(refusal_reason(SLOWER), at_least_s=30)),
        (StartDeferred(errors.NotFound("?")), TryLater(refusal_reason(errors.NotFound("?")))),
        (LostJob(), StepBack()),
        (LockError("gone"), PlanAgain(OTHER_START_SECS)),
    ],
)
def test_failure_of_a_start_becomes_a_move(settings, failure, move):
    assert move_after(failure, [INTENT], settings) == move


def test_refusal_ends_the_job_without_the_secrets_that_it_quotes(settings):
    refused = move_after(StartRefused(SECRETIVE), [INTENT], settings)
    assert isinstance(refused, Refuse)
    assert refused.reason.code == Code.INPUT_INVALID
    assert "input.password is" in refused.reason.message
    assert "s3cret" not in refused.reason.message


def test_refused_secret_ends_the_job_before_an_intent(settings):
    assert move_after(Refused(Code.SECRET_REFUSED, "no"), [], settings).reason.code == Code.SECRET_REFUSED


def test_start_that_is_not_on_disk_is_tried_later(settings):
    later = move_after(NotDurable("no disk"), [], settings)
    assert (later.reason.code, later.reason.message) == ("ledger-not-durable", "no disk; no paid run is started.")


def test_each_failure_is_caught():
    assert set(START_FAILURES) == set(get_args(Failure))
    assert set(QUESTION_REFUSED) == set(get_args(QuestionRefused))


MAY_NOT_LIST = errors.Forbidden(
    "No", status=403, type="insufficient-permissions", request="GET https://api.apify.com/v2/actor-runs"
)
REVOKED = errors.AuthFailed("Who?", status=401, type="user-or-token-not-found")
HOLDER = Permit(lease=None, send_by=SendBy(10), gap=HistoryGap("500"))


@pytest.mark.parametrize("error", [MAY_NOT_LIST, REVOKED, errors.InvalidRequest("400")])
@pytest.mark.parametrize("permit", [HOLDER, None])
def test_refused_question_before_an_intent_ends_the_job(make_job, error, permit):
    facts = Facts(1_100, (), 10, permit=permit)
    assert move_without_answer(make_job(), facts, error) == Refuse(refusal_reason(error))


@pytest.mark.parametrize(
    ("error", "stop_wish", "permit", "move", "wish"),
    [
        (MAY_NOT_LIST, None, HOLDER, AskPerson, None),
        (MAY_NOT_LIST, StopWish.CANCEL, HOLDER, ObeyStopWish, StopWish.CANCEL),
        (MAY_NOT_LIST, StopWish.CANCEL, None, PlanAgain, None),  # another execution is starting it
        (REVOKED, None, HOLDER, AskPerson, None),
        (REVOKED, StopWish.CANCEL, HOLDER, AskPerson, None),  # another token can still stop the run
    ],
)
def test_refused_search_for_a_start_asks_a_person(make_job, error, stop_wish, permit, move, wish):
    job = make_job(intent=INTENT.model_dump(), stop_wish=stop_wish)
    found = move_without_answer(job, Facts(1_100, (), 10, permit=permit), error)
    assert type(found) is move
    assert getattr(found, "stop_wish", None) == wish
    assert isinstance(found, PlanAgain) or str(error) in found.doubt
