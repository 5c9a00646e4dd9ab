"""What becomes of a start that made no run, or perhaps none: of the platform's refusal, its silence, and our own doubt.

Pure. Only what makes it certain that no run was made lets the job start again without a search.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from redis.exceptions import LockError

from actorline.errors import Code, Reason, Refused
from actorline.jobs.document.secret import hide_secrets
from actorline.jobs.job import Intent, Job
from actorline.jobs.step import LostJob
from actorline.ledger.admission.budgets import OverBudget
from actorline.ledger.durability import NotDurable
from actorline.platform.errors import AuthFailed, CapacityExceeded, Forbidden, InvalidRequest, PlatformUnavailable
from actorline.platform.start import StartDeferred, StartRefused, StartUnclear
from actorline.settings import Settings
from actorline.stages.start.decision import OTHER_START_SECS, Facts, may_be_running
from actorline.stages.start.refusal import advice_on, refusal_reason
from actorline.stages.start.steps import (
    AskPerson,
    Move,
    ObeyStopWish,
    PlanAgain,
    Refuse,
    StepBack,
    TryLater,
    Unclear,
    WaitForBudget,
    WaitTurn,
)

Failure = Refused | OverBudget | LostJob | LockError | NotDurable | StartRefused | StartDeferred | StartUnclear
START_FAILURES: Final = (Refused, OverBudget, LostJob, LockError, NotDurable, StartRefused, StartDeferred, StartUnclear)
QuestionRefused = AuthFailed | Forbidden | InvalidRequest
QUESTION_REFUSED: Final = (AuthFailed, Forbidden, InvalidRequest)
NO_MEMORY: Final = "actor-memory-limit-exceeded"  # another run may need less: docs/platform-facts.md#errors


def move_after(  # noqa: PLR0911 - a table
    failure: Failure, announced: Sequence[Intent], settings: Settings
) -> Move:
    """Return what the job does next. `announced`: the intent, if the start came so far."""
    match failure:
        case StartUnclear():
            return Unclear(announced[0], str(failure))
        case StartRefused() | StartDeferred():
            return _not_started(failure, settings)
        case NotDurable():  # the intent may be written: it is taken back, for nothing was sent
            message = f"{failure}; no paid run is started."
            return TryLater(Reason(code=Code.LEDGER_NOT_DURABLE, message=message, billed=False))
        case OverBudget():
            return WaitForBudget(failure.reservation, failure.full)
        case Refused():
            return Refuse(failure.reason)
        case LostJob():
            return StepBack()
        case LockError():  # it took too long to get here; another execution is at it
            return PlanAgain(OTHER_START_SECS)
        case _:
            assert_never(failure)


def _not_started(failure: StartRefused | StartDeferred, settings: Settings) -> Move:
    error = failure.error
    reason = refusal_reason(error)
    # the platform's words may quote the input that it refuses
    masked = reason.model_copy(update={"message": hide_secrets(reason.message, settings)})
    if isinstance(failure, StartRefused):
        return Refuse(masked)
    match error:
        case CapacityExceeded():
            return WaitTurn(masked.code, masked.message, was_refused=True, needs_less=error.type == NO_MEMORY)
        case PlatformUnavailable():
            return TryLater(masked, at_least_s=error.retry_after_s)
        case _:
            return TryLater(masked)


def move_without_answer(job: Job, facts: Facts, error: QuestionRefused) -> Move:
    """Return what the job does next where the platform refuses to say what its start must know, such as which runs the
    account has. A person must change that.
    """
    if not may_be_running(job, facts):
        return Refuse(refusal_reason(error))
    if facts.permit is None:  # another execution is starting it
        return PlanAgain(OTHER_START_SECS)
    doubt = f"It is unknown whether a run was started and is billing, for the platform refuses the search: {error}."
    doubt = f"{doubt} {advice_on(error)}".rstrip()
    stop_wish = job.stop_wish_at(facts.now)
    if stop_wish and not isinstance(error, AuthFailed):  # with another token the run can be found, and stopped
        return ObeyStopWish(stop_wish, doubt=f"{doubt} See the console.")
    return AskPerson(doubt=doubt)
