"""A batch as stored in the ledger, and the result that every entrance shows."""

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, Json

from actorline.batches.document import BatchDocument
from actorline.budgets.reservation import NANO
from actorline.errors import Code, Reason
from actorline.identifiers import JobKey
from actorline.jobs.document.lengths import STORED
from actorline.jobs.groups import NoticeGroup
from actorline.jobs.job import StopWish
from actorline.jobs.states import TERMINAL, State
from actorline.jobs.times import iso_time, minute_text
from actorline.ledger.ledger import Ledger
from actorline.ledger.stored_job import UnreadableJob
from actorline.logs import Logger

ENDS: Final = tuple(sorted(TERMINAL))
FAILURES: Final = (State.FAILED, State.EXPIRED)

log = Logger(__name__)


class Batch(BaseModel):
    """The hash `batch:{key}`; times are unix seconds by Redis.

    `inputs`: how many there are, None until they are stored. `made`: how many members were made so far, in order.
    `rerun_from`, `rerun_to`: members to be run again if they haven't delivered; those before `rerun_from` are done.
    `failed_before`: members that had failed when the batch was retried, and haven't been run again since.
    `live`: members that haven't ended. `ended:{state}`, `items`, `bytes`, `records`, `nano_usd`: what all members come
    to, moved by each member's own change.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: JobKey
    document: Json[BatchDocument]
    document_hash: str = Field(alias="hash")
    state: State
    queued_at: float
    retried_at: float | None = None
    retries: int = 0
    begun_at: float | None = None
    ended_at: float | None = None
    delivered_at: float | None = None
    stop_wish: StopWish | None = Field(default=None, alias="wanted")
    ordered_by: str | None = None
    sink: str
    inputs: int | None = None
    made: int = 0
    rerun_from: int = 0
    rerun_to: int = 0
    failed_before: int = 0
    waiting_for: str | None = None
    waiting_since: float | None = None
    waiting_until: float | None = None  # at the latest, if that is known
    reason: Json[Reason] | None = None
    manifest: str | None = None
    items: int = 0
    bytes: int = 0
    records: int = 0
    nano_usd: int = 0
    failures: int = 0  # how often in a row its inputs could not be read, or its manifest not be written
    notice: NoticeGroup = NoticeGroup()
    live: int = 0
    delivered: int = Field(0, alias="ended:DELIVERED")
    partial: int = Field(0, alias="ended:PARTIAL")
    failed: int = Field(0, alias="ended:FAILED")
    cancelled: int = Field(0, alias="ended:CANCELLED")
    expired: int = Field(0, alias="ended:EXPIRED")

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def ended(self) -> dict[State, int]:
        """Return how many members ended in each state."""
        return {
            State.DELIVERED: self.delivered,
            State.PARTIAL: self.partial,
            State.FAILED: self.failed,
            State.CANCELLED: self.cancelled,
            State.EXPIRED: self.expired,
        }

    @property
    def deadline_at(self) -> float | None:
        seconds = self.document.deadline_secs
        return None if seconds is None else (self.retried_at or self.queued_at) + seconds

    @property
    def cost_usd(self) -> float | None:
        """Return what all runs of its members cost; None while nothing is known."""
        return round(self.nano_usd / NANO, 6) if self.nano_usd else None

    @property
    def has_failed_too_often(self) -> bool:
        most = self.document.stop_after_failures
        return most is not None and self.number_failed - self.failed_before >= most

    @property
    def number_failed(self) -> int:
        """Return how many members have failed, by `stop_after_failures`."""
        return sum(self.ended[state] for state in FAILURES)


FIELDS: Final = (
    *(field.alias or name for name, field in Batch.model_fields.items() if name not in {"live", "notice"}),
    *(field.alias or name for name, field in NoticeGroup.model_fields.items()),
)


def load_batch(ledger: Ledger, key: JobKey) -> Batch | None:
    """Return the batch without its inputs; None: unknown. Raises UnreadableJob."""
    found = ledger.batches.read(key, FIELDS)
    if found is None:
        return None
    fields, live = found
    try:
        filled = {name: value for name, value in fields.items() if value}
        return Batch.model_validate({**filled, "live": live, "notice": filled}, context=STORED)
    except ValueError as error:
        raise UnreadableJob(key) from error


def load_batch_if_possible(ledger: Ledger, key: JobKey) -> Batch | None:
    """Return the batch, if there is one and this version can read it; one that it can't is logged: it must not hide
    the rest.
    """
    try:
        return load_batch(ledger, key)
    except UnreadableJob:
        log.warning("unreadable_batch", batch_key=key)
        return None


class BatchResult(BaseModel):
    """One shape everywhere: Celery result, HTTP, `--json`. `members`: those made so far, by state."""

    key: JobKey
    kind: Literal["batch"] = "batch"
    state: State
    reason: Reason | None
    inputs: int | None
    members: dict[str, int]
    items: int
    bytes: int
    records: int
    cost_usd: float | None
    manifest: str | None
    sink: str | None
    queued_at: str | None
    delivered_at: str | None

    @classmethod
    def of(cls, batch: Batch, live: Mapping[State, int] | None = None) -> "BatchResult":
        """Return it; `live`: the members that haven't ended by state, where they were looked up."""
        running = {State.RUNNING: batch.live} if live is None else live
        members = {**dict.fromkeys(ENDS, 0), **batch.ended, **running}
        return cls(
            key=batch.key,
            state=batch.state,
            reason=batch.reason or _waiting_reason(batch),
            inputs=batch.inputs,
            members={state: count for state, count in members.items() if count or state is State.DELIVERED},
            items=batch.items,
            bytes=batch.bytes,
            records=batch.records,
            cost_usd=batch.cost_usd,
            manifest=batch.manifest,
            sink=batch.sink,
            queued_at=iso_time(batch.queued_at),
            delivered_at=iso_time(batch.delivered_at),
        )

    @classmethod
    def refused(cls, key: JobKey, reason: Reason) -> "BatchResult":
        """Return the result of a refused order: there is no batch."""
        nothing = dict.fromkeys(cls.model_fields)
        counters = dict.fromkeys(("items", "bytes", "records"), 0)
        facts = {"key": key, "kind": "batch", "state": State.FAILED, "reason": reason, "members": {}}
        return cls.model_validate({**nothing, **counters, **facts})


def _waiting_reason(batch: Batch) -> Reason | None:
    if batch.state is not State.WAITING or batch.waiting_for not in set(Code):
        return None
    message = waiting_text(batch.waiting_for, batch.waiting_since, batch.waiting_until)
    return Reason(code=Code(batch.waiting_for), message=message, billed=batch.nano_usd > 0)


HELD_BY: Final[Mapping[str, str]] = {
    Code.QUOTA: "its API key has as many open jobs as it may have",
    Code.OVERLOAD: "Redis's memory is nearly full",
    Code.SINK_FAILED: "its sink, where its inputs are, doesn't respond",
}
"""Why a batch makes no more members for now."""


def waiting_text(code: str, since: float | None, until: float | None) -> str:
    """Return what a batch waits for, and from when until when, as far as that is known."""
    begun = "" if since is None else f", since {minute_text(since)}"
    ends = "" if until is None else f", until {minute_text(until)} at the latest"
    if why := HELD_BY.get(code):
        return f"It makes no more members for now: {why}{begun}."
    return f"All its members that haven't ended wait for the same: {code}{begun}{ends}."


class BatchProgress(BaseModel):
    """What a caller's result shows in the state PROGRESS. `eta_secs`: left at the rate so far."""

    key: JobKey
    state: State
    inputs: int | None
    members: dict[str, int]
    items: int
    cost_usd: float | None
    items_per_sec: float | None
    eta_secs: float | None

    @classmethod
    def of(cls, batch: Batch, now: float) -> "BatchProgress":
        result = BatchResult.of(batch)
        elapsed = now - (batch.retried_at or batch.begun_at or now)
        ended = sum(batch.ended.values())
        left = (batch.inputs or 0) - ended
        return cls(
            **result.model_dump(include={"key", "state", "inputs", "members", "items", "cost_usd"}),
            items_per_sec=round(batch.items / elapsed, 1) if elapsed > 0 else None,
            eta_secs=round(left * elapsed / ended, 1) if ended and not batch.is_terminal else None,
        )
