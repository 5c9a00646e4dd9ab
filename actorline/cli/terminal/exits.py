"""Exit codes, and the one for each end of a job."""

from enum import IntEnum

from actorline import exit_codes
from actorline.errors import REFUSALS, Code, Reason
from actorline.jobs.outcome import Outcome
from actorline.jobs.states import State


class Exit(IntEnum):
    DELIVERED = 0  # or accepted, with --no-wait
    FAILED = 1
    USAGE = exit_codes.USAGE
    EXPIRED = 3
    CANCELLED = 4
    REFUSED = 5  # nothing started or billed
    PARTIAL = 6  # some rows were delivered
    UNAVAILABLE = exit_codes.UNAVAILABLE
    INTERNAL = 70  # our fault
    INTERRUPTED = 130


UNAVAILABLE_CODES = frozenset(
    {
        Code.PLATFORM_UNAVAILABLE,
        Code.REDIS_UNAVAILABLE,
        Code.LEDGER_NOT_DURABLE,
        Code.SINK_FAILED,
        Code.OVERLOAD,
    }
)


def exit_of_reason(reason: Reason) -> Exit:
    if reason.code in REFUSALS and not reason.billed:
        return Exit.REFUSED
    if reason.code == Code.INTERNAL:
        return Exit.INTERNAL
    return Exit.UNAVAILABLE if reason.code in UNAVAILABLE_CODES else Exit.FAILED


def exit_of_result(result: Outcome) -> Exit:
    match result.state:
        case State.DELIVERED:
            return Exit.DELIVERED
        case State.PARTIAL:
            return Exit.PARTIAL
        case State.CANCELLED:
            return Exit.CANCELLED
        case State.EXPIRED:
            return Exit.EXPIRED
        case _:
            return exit_of_reason(result.reason) if result.reason else Exit.FAILED
