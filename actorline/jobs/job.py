"""A job as stored in the ledger, and the result that every entrance shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, Json

from actorline.budgets.reservation import OwnBudget, Reservation
from actorline.errors import Code, Reason
from actorline.identifiers import DatasetId, JobKey, RunId
from actorline.jobs.document.delta import JobChanges
from actorline.jobs.document.guard import Broken, Enough
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.lengths import STORED
from actorline.jobs.groups import CareGroup, ChanceGroup, CollectionGroup, Group, NoticeGroup, RunGroup
from actorline.jobs.states import TERMINAL, State

CONSOLE_RUN_URL = "https://console.apify.com/view/runs/"


class StopWish(StrEnum):
    """Why a job is to stop: it was cancelled, its deadline has passed, a hard budget of it is spent, its rows broke
    their contract, or there are enough of them. The last two only abort its run: its rows are delivered.
    """

    CANCEL = "cancel"
    EXPIRE = "expire"
    BUDGET = "budget"
    GUARD = "guard"
    ENOUGH = "enough"


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


class Job(BaseModel):
    """The hash `job:{key}`; times are unix seconds by Redis.

    The hash is flat. Here its fields are in groups: `job.run.status` is the hash's `run_status`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: JobKey
    document: Json[JobDocument]
    document_hash: str = Field(alias="hash")
    state: State
    epoch: int
    attempt: int
    retries: int = 0  # by the command `retry`: each may end in its own manifest
    queued_at: float
    retried_at: float | None = None  # the deadline counts from the last `retry`
    ended_at: float | None = None
    delivered_at: float | None = None
    stop_wish: StopWish | None = Field(default=None, alias="wanted")  # set in any state, carried out by the next stage
    ordered_by: str | None = None  # over HTTP: the sender, as in `Sender.holder`
    fresh: bool = False  # we made the key ourselves, so no earlier run can carry its marker
    intent: Json[Intent] | None = None
    open_set: str | None = None  # where it is counted among its API key's open jobs
    batch: JobKey | None = None  # the key of the batch that it is a member of
    likeness: str | None = None  # equal for jobs that can share a delivery
    sink: str | None = None
    own_budget: Json[OwnBudget] | None = None  # that it shares with others, such as the members of its batch
    reservation: Json[Reservation] | None = None  # of the last start, in the budgets that the job falls under
    spent_usd: float = 0  # by the runs of earlier attempts
    stray_costs: Json[dict[RunId, float]] | None = None  # run id -> dollars, of its runs that it didn't want
    figures_settled: bool = False  # cost and stats were read again some time after the end, or that was given up
    vanished: bool = False  # a retry has searched again for the vanished dataset
    waiting_for: str | None = None  # the code of the job's last wait
    waiting_since: float | None = None  # when it began
    waiting_until: float | None = None  # when it ends at the latest, if that is known
    failures: int = 0
    input_failures: int = 0  # failed tries to read `input_url`
    failed_as: str | None = None  # the stage and the error that failed last
    failed_alike: int = 0  # how often in a row
    reason: Json[Reason] | None = None
    broken: Json[Broken] | None = None  # the first rule of `guard` that the rows broke
    enough: Json[Enough] | None = None  # why the run was stopped early
    manifest: str | None = None
    manifest_sha256: str | None = None  # its `fingerprint`; none if an earlier version ended the job
    delta_base: str | None = None  # the key of the job whose rows are compared, or NO_BASE, once that is decided
    changes: Json[JobChanges] | None = None

    run: RunGroup
    chances: ChanceGroup
    collection: CollectionGroup
    notice: NoticeGroup
    care: CareGroup

    @classmethod
    def read(cls, stored: Mapping[str, object]) -> "Job":
        """Return the job of a hash without its empty fields: each group takes its own fields from it."""
        return cls.model_validate({**stored, **dict.fromkeys(GROUPS, stored)}, context=STORED)

    @property
    def sink_url(self) -> str:
        """Return where the rows go; `{run_id}` is filled in as soon as the run is known."""
        return (self.sink or "").replace("{run_id}", self.run.id or "{run_id}")

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def waits_for(self) -> str | None:
        """Return the code of what a WAITING job waits for: without one of its own it searches for its start's run."""
        return self.waiting_for or Code.START_UNCLEAR if self.state is State.WAITING else None

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
        others = self.spent_usd + sum((self.stray_costs or {}).values())
        return round((self.run.cost_usd or 0) + others, 6) if others else self.run.cost_usd


GROUPS: Final[Mapping[str, type[Group]]] = {
    "run": RunGroup,
    "chances": ChanceGroup,
    "collection": CollectionGroup,
    "notice": NoticeGroup,
    "care": CareGroup,
}
FIELDS: Final = (
    *(field.alias or name for name, field in Job.model_fields.items() if name not in GROUPS),
    *(field.alias or name for group in GROUPS.values() for name, field in group.model_fields.items()),
)
"""The fields of the hash that a job is read from."""
_MODELS: Final[tuple[type[BaseModel], ...]] = (Job, *GROUPS.values())
DEFAULTS: Final[Mapping[str, object]] = {
    field.alias or name: field.default
    for model in _MODELS
    for name, field in model.model_fields.items()
    if not field.is_required()
}
"""What a field of the hash that isn't there is read as."""


@dataclass(frozen=True)
class Pace:
    """How fast a job collects: items per second, and the seconds left at that rate."""

    items_per_sec: float | None = None
    eta_secs: float | None = None

    @classmethod
    def of(cls, job: Job) -> "Pace":
        rows = job.collection
        if rows.started_at is None or rows.stored_at is None or job.is_terminal:
            return cls()
        elapsed, scanned = rows.stored_at - rows.started_at, rows.scanned - rows.scanned_before
        if elapsed <= 0 or scanned <= 0:
            return cls()
        rate = scanned / elapsed
        ordered = max((rows.items_total or 0) - job.document.collect.offset, 0)
        if job.document.collect.limit:
            ordered = min(ordered, job.document.collect.limit)
        left = max(ordered - rows.scanned, 0) / rate if rows.items_total is not None else None
        return cls(round(rate, 1), None if left is None else round(left, 1))


class Waiting(BaseModel):
    """What a WAITING job waits for: a code, since when, and until when at the latest, if that is known."""

    code: str
    since: str | None
    until: str | None

    @classmethod
    def of(cls, job: Job) -> "Waiting | None":
        code = job.waits_for
        if code is None:
            return None
        sent_at = job.intent.sent_at if job.intent else None
        since = job.waiting_since if job.waiting_for else sent_at
        return cls(code=code, since=iso_time(since), until=iso_time(job.waiting_until))


class StoppedEarly(BaseModel):
    """Why a run was stopped before its own end. `rows` were there when that was seen; `beyond`: rows that were
    delivered beyond those that were enough.
    """

    code: Code
    rule: str
    rows: int
    beyond: int
    message: str

    @classmethod
    def of(cls, job: Job) -> "StoppedEarly | None":
        enough = job.enough
        if enough is None:
            return None
        beyond = max(job.collection.items - enough.needed, 0)
        return cls(code=Code.STOPPED_EARLY, rule=enough.rule, rows=enough.rows, beyond=beyond, message=enough.message)


class JobResult(BaseModel):
    """One shape everywhere: Celery result, HTTP, `--json`; under 4 kB."""

    key: JobKey
    kind: Literal["job"] = "job"
    state: State
    reason: Reason | None
    actor: str | None
    target: dict[str, str] | None
    run_id: RunId | None
    run_url: str | None
    run_status: str | None
    attempt: int
    adopted: bool
    dataset_id: DatasetId | None
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
    changes: JobChanges | None = None
    waiting: Waiting | None = None
    stopped: StoppedEarly | None = None
    broken: Broken | None = None

    @classmethod
    def of(cls, job: Job) -> "JobResult":
        kind, name = job.document.target
        run, rows = job.run, job.collection
        return cls(
            key=job.key,
            state=job.state,
            reason=job.reason,
            actor=job.document.actor or run.actor_id,
            target={kind: name},
            run_id=run.id,
            run_url=CONSOLE_RUN_URL + run.id if run.id and not run.no_console else None,
            run_status=run.status,
            attempt=job.attempt,
            adopted=run.adopted,
            dataset_id=run.dataset_id,
            key_value_store_id=run.key_value_store_id,
            sink=job.sink_url or None,
            manifest=job.manifest,
            items=rows.items,
            scanned=rows.scanned,
            bytes=rows.byte_count,
            pages=rows.pages,
            records=rows.records,
            cost_usd=job.total_cost_usd,
            queued_at=iso_time(job.queued_at),
            started_at=run.started_at or iso_time(run.known_at),
            run_finished_at=run.finished_at,
            delivered_at=iso_time(job.delivered_at),
            manifest_sha256=job.manifest_sha256,
            changes=job.changes,
            waiting=Waiting.of(job),
            stopped=StoppedEarly.of(job),
            broken=job.broken,
        )

    @classmethod
    def refused(cls, key: JobKey, state: State, reason: Reason) -> "JobResult":
        """Return the result of a refused order: there is no job."""
        nothing = dict.fromkeys(cls.model_fields)
        counters = dict.fromkeys(("items", "scanned", "bytes", "pages", "records"), 0)
        return cls.model_validate(
            {
                **nothing,
                **counters,
                "key": key,
                "kind": "job",
                "state": state,
                "reason": reason,
                "attempt": 0,
                "adopted": False,
            }
        )


class Glimpse(BaseModel):
    """All that is shown of a job to an API key without the scope `read`."""

    key: JobKey
    state: State


class Progress(BaseModel):
    """What a caller's result shows in the state PROGRESS."""

    key: JobKey
    state: State
    run_id: RunId | None
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
        run, rows, pace = job.run, job.collection, Pace.of(job)
        return cls(
            key=job.key,
            state=job.state,
            run_id=run.id,
            run_status=run.status,
            items=rows.items,
            items_total=rows.items_total,
            pages=rows.pages,
            bytes=rows.byte_count,
            items_per_sec=pace.items_per_sec,
            eta_secs=pace.eta_secs,
            cost_usd=job.total_cost_usd,
        )


def iso_time(unix_seconds: float | None) -> str | None:
    """Return `2026-11-23T08:15:30.123Z`, as the platform writes times."""
    if unix_seconds is None:
        return None
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minute_text(unix_seconds: float) -> str:
    """Return `2026-11-23 08:15 UTC`, as messages give times."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%d %H:%M} UTC"
