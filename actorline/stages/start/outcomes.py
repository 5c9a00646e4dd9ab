"""What becomes of a start that made no run, or perhaps none: of the platform's refusal, its silence, and our own doubt.

Pure. Only what makes it certain that no run was made lets the job start again without a search.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from redis.exceptions import LockError

from actorline.errors import Code, Reason, Refused
from actorline.jobs.document.secret import hide_secrets
from actorline.jobs.job import Intent
from actorline.jobs.step import LostJob
from actorline.ledger.admission.budgets import OverBudget
from actorline.ledger.durability import NotDurable
from actorline.platform.errors import CapacityExceeded, PlatformUnavailable
from actorline.platform.start import StartDeferred, StartRefused, StartUnclear
from actorline.settings import Settings
from actorline.stages.start.decision import OTHER_START_SECS
from actorline.stages.start.refusal import refusal_reason
from actorline.stages.start.steps import Move, PlanAgain, Refuse, StepBack, TryLater, Unclear, WaitForBudget, WaitTurn

Failure = Refused | OverBudget | LostJob | LockError | NotDurable | StartRefused | StartDeferred | StartUnclear
START_FAILURES: Final = (Refused, OverBudget, LostJob, LockError, NotDurable, StartRefused, StartDeferred, StartUnclear)
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
