"""The result of a job that every entrance shows."""

from typing import Final, Literal

from pydantic import BaseModel

from actorline.errors import Code, Reason
from actorline.identifiers import DatasetId, JobKey, RunId
from actorline.jobs.document.delta import JobChanges
from actorline.jobs.document.guard import Broken
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.times import iso_time

CONSOLE_RUN_URL: Final = "https://console.apify.com/view/runs/"


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
