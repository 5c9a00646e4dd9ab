"""What the page of one job shows, read from the ledger."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from actorline.errors import Refused
from actorline.gateway.pages.jobs.job_changes import may_cancel, may_retry
from actorline.gateway.pages.presentation.page_strip import Strip, strip_of
from actorline.gateway.pages.visit import Visit
from actorline.identifiers import JobKey
from actorline.jobs.history import History
from actorline.jobs.job import Job
from actorline.jobs.job_result import CONSOLE_RUN_URL
from actorline.jobs.rights import Scope
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.history import past_runs
from actorline.orders.retry import RetryPlan, plan_retry
from actorline.story.page_bars import PageBar, page_bars
from actorline.story.sentences import Sentence, sentences
from actorline.story.waterfall import Axis, Bar, bars, phases

PER_ROWS = 1000
MOST_PAGE_BARS = 200  # more can't be told apart: then a bar stands for several pages
SHOWN_STAGES = ("start_run", "poll_run", "fetch_ahead", "fetch_pages", "finish_job")  # in the order of a job's life
LIKE_IT_AMONG = 200  # of each way to end: some hundredths of a second


@dataclass(frozen=True)
class JobView:
    """`now`: by Redis's clock; `callers`: the Celery task ids that wait; `tasks`: stage and link; `like_it`: the
    latest runs of the same Actor; `retry`: None if it can't be retried.
    """

    job: Job
    now: float
    bars: Sequence[Bar]
    strip: Strip | None
    pages: Sequence[PageBar]
    story: Sequence[Sentence]
    callers: Collection[str]
    tasks: Sequence[tuple[str, str]]
    run_ids: Sequence[str]
    like_it: History | None
    retry: RetryPlan | None
    may_cancel: bool
    may_retry: bool
    may_order: bool

    @property
    def lanes(self) -> int:
        """Return how many rows the bars of pages need: as many as were read at once."""
        return max((bar.lane + 1 for bar in self.pages), default=0)

    @property
    def console(self) -> str | None:
        """Return the run's page in the platform's console; an emulator has none."""
        run = self.job.run
        return CONSOLE_RUN_URL + run.id if run.id and not run.no_console else None

    @property
    def rows_per_sec(self) -> float | None:
        """Return how fast rows were collected; None if that was too short to be measured."""
        rows = self.job.collection
        if rows.started_at is None or rows.stored_at is None or rows.stored_at - rows.started_at < 1:
            return None
        return (rows.scanned - rows.scanned_before) / (rows.stored_at - rows.started_at)

    @property
    def usd_per_1000(self) -> float | None:
        items, cost = self.job.collection.items, self.job.total_cost_usd
        return cost / items * PER_ROWS if items and cost else None

    @property
    def seconds(self) -> float:
        """Return how long the job has taken since it was ordered or retried."""
        job = self.job
        return (job.ended_at or self.now) - (job.retried_at or job.queued_at)


def view_job(visit: Visit, key: JobKey) -> JobView:
    """Read the job. Raises Refused (unknown-key), also for one that the visitor can't see."""
    ledger, job = visit.context.ledger, visit.find_job(key)
    entries, now = ledger.timeline.entries(key), ledger.now()
    life, stored = phases(job, entries, now), ledger.pages.all(key, job.attempt)
    return JobView(
        job=job,
        now=now,
        bars=bars(life),
        strip=strip_of(stored),
        pages=page_bars(stored, Axis.of(life), most=MOST_PAGE_BARS) if life else [],
        story=sentences(entries),
        callers=list(ledger.callers.of(key)),
        tasks=_task_links(visit, key),
        run_ids=[run_id for attempt in range(1, job.attempt + 1) for run_id in ledger.runs.of(key, attempt)],
        like_it=_like_it(ledger, job),
        retry=_retry_plan(job),
        may_cancel=not job.is_terminal and is_allowed(may_cancel, visit, key),
        may_retry=is_allowed(may_retry, visit, key),
        may_order=may_order_again(visit, job),
    )


def _task_links(visit: Visit, key: JobKey) -> list[tuple[str, str]]:
    """Return each stage with its task's page in Flower; none if nobody has said where Flower is."""
    flower = visit.context.settings.flower_url
    if flower is None:
        return []
    found = visit.context.ledger.callers.stage_tasks(key)
    return [(stage, f"{flower}/task/{quote(found[stage])}") for stage in SHOWN_STAGES if stage in found]


def is_allowed(check: Callable[[Visit, JobKey], object], visit: Visit, key: JobKey) -> bool:
    """Return whether the check passes for the visitor and the key."""
    try:
        check(visit, key)
    except Refused:
        return False
    return True


def may_order_again(visit: Visit, job: Job) -> bool:
    """Return whether the visitor may see all of the document, and order."""
    return may_see_input(visit, job) and (visit.has(Scope.SUBMIT) or visit.has(Scope.COLLECT))


def may_see_input(visit: Visit, job: Job) -> bool:
    """Return whether the visitor ordered the job, or may do everything: an input may hold its sender's secrets."""
    return visit.is_operator or job.ordered_by == visit.grant.holder


def _like_it(ledger: Ledger, job: Job) -> History | None:
    """Return what the latest runs of the same Actor come to; None while the job is running."""
    if not (job.is_terminal and job.document.starts_run):
        return None
    return History.of(past_runs(ledger, job.document, among=LIKE_IT_AMONG))


def _retry_plan(job: Job) -> RetryPlan | None:
    try:
        return plan_retry(job)
    except Refused:
        return None
