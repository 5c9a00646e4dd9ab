"""The command to type next, by reason code. What must be changed first (an order, a setting) has none."""

from collections.abc import Mapping
from typing import Final

from actorline.errors import Code, Reason

NEXT: Final[Mapping[Code, str | None]] = {
    Code.RUN_FAILED: "actorline retry KEY",
    Code.RUN_TIMED_OUT: "actorline retry KEY",
    Code.RUN_ABORTED: "actorline retry KEY",
    Code.RUN_VANISHED: "actorline retry KEY",
    Code.DATASET_VANISHED: "actorline retry KEY",
    Code.DATASET_GREW: "actorline retry KEY",
    Code.PAGE_UNREADABLE: "actorline retry KEY",
    Code.RECORD_UNREADABLE: "actorline retry KEY",
    Code.FORMAT_FAILED: "actorline run --dataset-id ID --format jsonl",
    Code.SINK_FAILED: "actorline doctor",
    Code.DEADLINE: "actorline retry KEY",
    Code.CANCELLED: "actorline retry KEY",
    Code.AUTH: "actorline doctor",
    Code.FORBIDDEN: "actorline doctor",
    Code.ACTOR_NOT_FOUND: "actorline accounts",
    Code.RUN_NOT_FOUND: "actorline accounts",
    Code.DATASET_NOT_FOUND: "actorline accounts",
    Code.INPUT_INVALID: None,
    Code.INPUT_UNREADABLE: None,
    Code.DOCUMENT_INVALID: None,
    Code.SECRET_REFUSED: None,
    Code.SINK_REFUSED: None,
    Code.FORMAT_REFUSED: None,
    Code.NOTIFY_REFUSED: None,
    Code.CONFLICT: "actorline show KEY",
    Code.CAPACITY: "actorline doctor",
    Code.QUOTA: "actorline keys list",
    Code.BUDGET: "actorline budgets",
    Code.OVERLOAD: "actorline jobs",
    Code.PAUSED: "actorline resume",
    Code.MEMBERS_FAILED: "actorline retry KEY",
    Code.TOO_MANY_FAILURES: "actorline retry KEY",
    Code.START_UNCLEAR: "actorline show KEY",
    Code.LEDGER_NOT_DURABLE: "actorline doctor",
    Code.PLATFORM_UNAVAILABLE: "actorline doctor",
    Code.REDIS_UNAVAILABLE: "actorline doctor",
    Code.UNKNOWN_KEY: "actorline jobs",
    Code.REQUEST_INVALID: None,
    Code.GUARD_BROKEN: "actorline items KEY",
    Code.STOPPED_EARLY: None,
    Code.INTERNAL: "actorline retry KEY",
}

NEXT_OF_AN_END: Final[Mapping[Code, str]] = {Code.SINK_FAILED: "actorline retry KEY"}
"""Where a job that has ended with the code needs another command than one that waits, or than a refusal."""


def way_out(code: str, *, key: str) -> str | None:
    """Return the command for a job that waits; None if there is none, also for the code of a newer version."""
    command = NEXT.get(Code(code)) if code in set(Code) else None
    return command and command.replace("KEY", key)


def next_command(
    reason: Reason, *, key: str | None = None, dataset_id: str | None = None, has_ended: bool = False
) -> str | None:
    """Return the command; None if there is none, if the message names one already, or if its job isn't known.

    `has_ended`: the reason is that of a job's end, not of a refusal.
    """
    if "actorline " in reason.message:
        return None
    command = (has_ended and NEXT_OF_AN_END.get(reason.code)) or NEXT[reason.code]
    if command is None or ("KEY" in command and key is None):
        return None
    return command.replace("KEY", key or "").replace("ID", dataset_id or "ID")
