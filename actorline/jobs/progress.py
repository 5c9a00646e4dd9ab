"""What is shown of a job while it collects: how far it is, and how fast."""

from dataclasses import dataclass

from pydantic import BaseModel

from actorline.identifiers import JobKey, RunId
from actorline.jobs.job import Job
from actorline.jobs.states import State


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
