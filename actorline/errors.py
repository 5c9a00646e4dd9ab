"""Why a job ended as it did, and the errors that everybody may meet; all others: `docs/architecture.md`, Errors.

A caller of `actorline.run` gets JobFailed, JobCancelled, JobExpired or JobRefused, with the job's result as a JSON
string as its only argument.
"""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel


class Code(StrEnum):
    """Why a job ended as it did; the same codes are in results, exceptions, problem documents and metrics."""

    RUN_FAILED = "run-failed"
    RUN_TIMED_OUT = "run-timed-out"
    RUN_ABORTED = "run-aborted"
    RUN_VANISHED = "run-vanished"
    DATASET_VANISHED = "dataset-vanished"
    DATASET_GREW = "dataset-grew"
    PAGE_UNREADABLE = "page-unreadable"
    RECORD_UNREADABLE = "record-unreadable"
    FORMAT_FAILED = "format-failed"
    SINK_FAILED = "sink-failed"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    ACTOR_NOT_FOUND = "actor-not-found"
    RUN_NOT_FOUND = "run-not-found"
    DATASET_NOT_FOUND = "dataset-not-found"
    INPUT_INVALID = "input-invalid"
    INPUT_UNREADABLE = "input-unreadable"
    DOCUMENT_INVALID = "document-invalid"
    SECRET_REFUSED = "secret-refused"  # noqa: S105 - a code, not a secret
    SINK_REFUSED = "sink-refused"
    FORMAT_REFUSED = "format-refused"
    NOTIFY_REFUSED = "notify-refused"
    CONFLICT = "conflict"
    CAPACITY = "capacity"
    QUOTA = "quota"
    BUDGET = "budget"
    OVERLOAD = "overload"
    PAUSED = "paused"
    MEMBERS_FAILED = "members-failed"
    TOO_MANY_FAILURES = "too-many-failures"
    START_UNCLEAR = "start-unclear"
    LEDGER_NOT_DURABLE = "ledger-not-durable"
    PLATFORM_UNAVAILABLE = "platform-unavailable"
    REDIS_UNAVAILABLE = "redis-unavailable"
    UNKNOWN_KEY = "unknown-key"
    REQUEST_INVALID = "request-invalid"
    GUARD_BROKEN = "guard-broken"
    STOPPED_EARLY = "stopped-early"  # in the result's `stopped`, of a job that is DELIVERED
    INTERNAL = "internal"


REFUSALS: Final = frozenset({
    Code.AUTH, Code.FORBIDDEN, Code.ACTOR_NOT_FOUND, Code.RUN_NOT_FOUND, Code.DATASET_NOT_FOUND, Code.INPUT_INVALID,
    Code.INPUT_UNREADABLE, Code.DOCUMENT_INVALID, Code.SECRET_REFUSED, Code.SINK_REFUSED, Code.FORMAT_REFUSED,
    Code.CONFLICT, Code.QUOTA, Code.BUDGET, Code.UNKNOWN_KEY, Code.PAUSED, Code.NOTIFY_REFUSED, Code.REQUEST_INVALID,
})  # fmt: skip
"""Codes of refused orders: with `billed` false nothing was started."""


class Reason(BaseModel):
    """Why a job isn't simply DELIVERED. `billed`: whether a run was started that the account is billed for."""

    code: Code
    message: str
    platform_type: str | None = None
    billed: bool


class JobEnded(Exception):  # the names of ends are on the wire
    """One argument: the result as a JSON string."""


class JobFailed(JobEnded):
    pass


class JobCancelled(JobEnded):
    pass


class JobExpired(JobEnded):
    pass


class JobRefused(JobEnded):
    pass


class Refused(Exception):
    """A refused order; nothing was started, billed or changed. `key`: the job or batch that is in its way."""

    def __init__(self, code: Code, message: str, *, platform_type: str | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key
        self.reason = Reason(code=code, message=message, platform_type=platform_type, billed=False)


class Unavailable(Exception):
    """Redis or the platform can't be reached; the message says what that means and what to do."""

    def __init__(self, code: Code, message: str, *, billed: bool = False) -> None:
        super().__init__(message)
        self.reason = Reason(code=code, message=message, billed=billed)


class Overloaded(Unavailable):
    """A new job would be one more than Redis has room for, or than may be open; nothing was started."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.OVERLOAD, message)


class SettingsError(Exception):
    """A setting is missing or invalid; the message names it and the fix, never a secret's value."""
