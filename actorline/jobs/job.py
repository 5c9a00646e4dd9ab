"""A job as stored in the ledger, and the result that every entrance shows."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, Json, field_validator

from actorline.errors import Reason
from actorline.jobs.document import JobDocument
from actorline.jobs.states import TERMINAL, State

CONSOLE_RUN_URL = "https://console.apify.com/view/runs/"


class StopWish(StrEnum):
    """Why a job is to stop: it was cancelled, or its deadline has passed."""

    CANCEL = "cancel"
    EXPIRE = "expire"


class Intent(BaseModel):
    """Written before a start is sent: from then on a run may exist.

    `at`: unix seconds by Redis. `marker`: the run's later `meta.userAgent`. `sent_at`: when the last byte of an unclear
    request was sent; the platform's lists are trusted only some time after it. `input_sha256`: of the input read from
    `input_url`.
    """

    attempt: int
    marker: str
    at: float
    sent_at: float | None = None
    input_sha256: str | None = None


class Resurrection(BaseModel):
    """Written before a run is resurrected: whether that happened is read from the run, whatever the reply says.

    `expected`: the run's `stats.resurrectCount` after success. `finished_at`: the run's end before. `sent_at`: when a
    request with an unclear outcome was given up. It stays with the job, also after its end, until the run shows it, or
    until it can no longer happen.
    """

    expected: int
    at: float
    finished_at: str | None
    sent_at: float | None = None


class Job(BaseModel):
    """The hash `job:{key}`; times are unix seconds by Redis."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)

    key: str
    stored_document: Json[Any] = Field(alias="document")
    hash: str
    state: State
    epoch: int
    attempt: int
    retries: int = 0  # by the command `retry`: each may end in its own manifest
    queued_at: float
    retried_at: float | None = None  # the deadline counts from the last `retry`
    stop_wish: StopWish | None = Field(default=None, alias="wanted")  # set in any state, carried out by the next stage
    ordered_by: str | None = None  # over HTTP: the sender, as in `Sender.holder`
    fresh: bool = False  # we made the key ourselves, so no earlier run can carry its marker
    intent: Json[Intent] | None = None
    open_set: str | None = None  # where it is counted among its API key's open jobs
    likeness: str | None = None  # equal for jobs that can share a delivery
    sink: str | None = None
    run_id: str | None = None
    no_console: bool = False  # its runs are an emulator's and have no page in the console
    run_status: str | None = None
    run_message: str | None = None
    actor_id: str | None = None
    dataset_id: str | None = None
    key_value_store_id: str | None = None
    adopted: bool = False
    missing_since: float | None = None  # since when the platform has reported the run as unknown
    hinted_at: float | None = None  # when a webhook last said that the run has ended
    resurrects: int = 0  # asked for by `on_failure.resurrect`
    resurrection: Json[Resurrection] | None = None
    new_runs: int = 0  # started by `on_failure.new_runs`
    run_log: str | None = None  # the last lines of a failed run's log
    items_total: int | None = None
    items_end: int | None = None  # item count of a dataset that may still grow, when its counters had settled
    items: int = 0
    scanned: int = 0
    bytes: int = 0
    pages: int = 0
    records: int = 0
    scanned_before: int = 0  # of which fetched ahead, while the run was running
    stored_at: float | None = None  # when the last page was stored
    failing_pages: int = 0  # whose last try failed
    page_error: str | None = None  # of the last one of them
    cost_usd: float | None = None
    task_told: bool = False  # `notify.task` was sent
    url_told: bool = False  # `notify.url` has responded 2xx
    notice_failures: int = 0
    notice_at: float | None = None  # when the notice to `notify.url` is sent again
    figures_settled: bool = False  # cost and stats were read again some time after the end
    spent_usd: float = 0  # by the runs of earlier attempts
    started_at: float | None = None  # when we learned of the run, which may have begun long before
    run_started_at: str | None = None
    run_finished_at: str | None = None
    collecting_at: float | None = None
    ended_at: float | None = None
    delivered_at: float | None = None
    ahead_at: float | None = None  # when the running run's full pages are checked again
    ahead_sent_at: float | None = None  # when a message for that was sent, unless it is known to have arrived
    planned_at: float | None = None  # when the pages of the last wave were planned
    pages_before: int = 0  # how many were stored at that time
    sent_at: float = 0  # when the job's last message was sent, as far as the ledger knows
    patience: float | None = None  # seconds until upkeep checks again whether a message is lost
    vanished: bool = False  # a retry has searched again for the vanished dataset
    is_planned: bool = Field(default=False, alias="resume")  # its next step is planned for `due`; no message was lost
    waiting_for: str | None = None  # the code of the job's last wait
    failures: int = 0
    input_failures: int = 0  # failed tries to read `input_url`
    failed_as: str | None = None  # the stage and the error that failed last
    failed_alike: int = 0  # how often in a row
    reason: Json[Reason] | None = None
    manifest: str | None = None
    manifest_sha256: str | None = None  # its `fingerprint`; none if an earlier version ended the job

    @field_validator("*", mode="before")
    @classmethod
    def _unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @cached_property
    def document(self) -> JobDocument:
        return JobDocument.read_stored(self.stored_document)

    @property
    def sink_url(self) -> str:
        """Return where the rows go; `{run_id}` is filled in as soon as the run is known."""
        return (self.sink or "").replace("{run_id}", self.run_id or "{run_id}")

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def deadline_at(self) -> float | None:
        seconds = self.document.deadline_secs
        return None if seconds is None else (self.retried_at or self.queued_at) + seconds

    def stop_wish_at(self, now: float) -> StopWish | None:
        """Return why the job is to stop at a time; None while it isn't."""
        if self.stop_wish is None and self.deadline_at is not None and now > self.deadline_at:
            return StopWish.EXPIRE
        return self.stop_wish

    @property
    def total_cost_usd(self) -> float | None:
        """Return what all runs of the job cost; None while nothing is known."""
        return round((self.cost_usd or 0) + self.spent_usd, 6) if self.spent_usd else self.cost_usd


@dataclass(frozen=True)
class Pace:
    """How fast a job collects: items per second, and the seconds left at that rate."""

    items_per_sec: float | None = None
    eta_secs: float | None = None

    @classmethod
    def of(cls, job: Job) -> "Pace":
        if job.collecting_at is None or job.stored_at is None or job.is_terminal:
            return cls()
        elapsed, scanned = job.stored_at - job.collecting_at, job.scanned - job.scanned_before
        if elapsed <= 0 or scanned <= 0:
            return cls()
        rate = scanned / elapsed
        ordered = max((job.items_total or 0) - job.document.collect.offset, 0)
        if job.document.collect.limit:
            ordered = min(ordered, job.document.collect.limit)
        left = max(ordered - job.scanned, 0) / rate if job.items_total is not None else None
        return cls(round(rate, 1), None if left is None else round(left, 1))


class JobResult(BaseModel):
    """One shape everywhere: Celery result, HTTP, `--json`; under 4 kB."""

    key: str
    state: State
    reason: Reason | None
    actor: str | None
    target: dict[str, str] | None
    run_id: str | None
    run_url: str | None
    run_status: str | None
    attempt: int
    adopted: bool
    dataset_id: str | None
    key_value_store_id: str | None
    sink: str | None
    manifest: str | None
    items: int
    scanned: int
    bytes: int
    pages: int
    records: int
    cost_usd: float | None
    queued_at: str | None
    started_at: str | None
    run_finished_at: str | None
    delivered_at: str | None
    manifest_sha256: str | None = None

    @classmethod
    def of(cls, job: Job) -> "JobResult":
        kind, name = job.document.target
        return cls(
            **job.model_dump(
                include=set(cls.model_fields) - {"actor", "target", "run_url", "reason", "sink", "cost_usd", *_TIMES}
            ),
            reason=job.reason,
            cost_usd=job.total_cost_usd,
            actor=job.document.actor or job.actor_id,
            target={kind: name},
            sink=job.sink_url or None,
            run_url=CONSOLE_RUN_URL + job.run_id if job.run_id and not job.no_console else None,
            started_at=job.run_started_at or iso_time(job.started_at),
            run_finished_at=job.run_finished_at,
            **{name: iso_time(getattr(job, name)) for name in ("queued_at", "delivered_at")},
        )

    @classmethod
    def refused(cls, key: str, state: State, reason: Reason) -> "JobResult":
        """Return the result of a refused order: there is no job."""
        nothing = dict.fromkeys(cls.model_fields)
        counters = dict.fromkeys(("items", "scanned", "bytes", "pages", "records"), 0)
        return cls.model_validate(
            {**nothing, **counters, "key": key, "state": state, "reason": reason, "attempt": 0, "adopted": False}
        )


class Glimpse(BaseModel):
    """All that is shown of a job to an API key without the scope `read`."""

    key: str
    state: State


class Progress(BaseModel):
    """What a caller's result shows in the state PROGRESS."""

    key: str
    state: State
    run_id: str | None
    run_status: str | None
    items: int
    items_total: int | None
    pages: int
    bytes: int
    items_per_sec: float | None
    eta_secs: float | None
    cost_usd: float | None

    @classmethod
    def of(cls, job: Job) -> "Progress":
        facts = job.model_dump(include=set(cls.model_fields)) | asdict(Pace.of(job))
        return cls(**{**facts, "cost_usd": job.total_cost_usd})


_TIMES = frozenset({"queued_at", "started_at", "run_finished_at", "delivered_at"})


def iso_time(unix_seconds: float | None) -> str | None:
    """Return `2026-11-23T08:15:30.123Z`, as the platform writes times."""
    if unix_seconds is None:
        return None
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
