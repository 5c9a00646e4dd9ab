"""The stage *finish*: the receipts decide whether everything is here, must be fetched again, or is delivered."""

from dataclasses import dataclass
from typing import Final, assert_never

from actorline.back_off import back_off_s
from actorline.delivery.page_plan import Gap, More, Pages, Proof, has_caught_up, judge, short_pages
from actorline.delivery.receipt import Receipt
from actorline.errors import Code, Reason
from actorline.identifiers import DatasetId, ExecutionToken
from actorline.jobs.cost import cost_fields
from actorline.jobs.fields import NOW
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.step import LastStep, Stop
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.platform.client import Platform
from actorline.platform.datasets import get_dataset
from actorline.platform.runs import Run, secs_until_final
from actorline.settings import Settings
from actorline.stages.collect.deliver import Deliverer
from actorline.stages.collect.fetch_pages import is_moving, settled_at, stop_of
from actorline.stages.collect.judge_rows import RowsJudge
from actorline.stages.collect.run_again import LastLook, has_run_on
from actorline.stages.ending import stop_reason

WAVE_TRIES: Final = 4  # waves that bring nothing before the missing pages are given up; each page has had its own tries
LAG_LOOK_SECS: Final = 2.0  # docs/platform-facts.md#counters-lag
WAVE_BACK_OFF_SECS: Final = (2.0, 10.0, 30.0)
VIEW_TYPES: Final = frozenset({
    "requested-dataset-view-does-not-exist", "dataset-does-not-have-schema", "dataset-does-not-have-fields-schema",
})  # fmt: skip
"""The platform's errors about a dataset that lacks the view: `docs/platform-facts.md#item-parameters`."""


@dataclass(frozen=True)
class NextWave:
    """More pages are needed, in so many seconds. They have an epoch of their own, which fences off what comes late or
    twice of this wave: otherwise two of its messages would be two of the next one, and so on.
    """

    epoch: int
    seconds: float


@dataclass(frozen=True)
class Finisher:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def advance(self, job: Job, pages: Pages, execution: ExecutionToken) -> LastStep | NextWave:
        """Return what to do next; Ended: the job has its end."""
        if job.stop_wish:
            reason = stop_reason(job, job.stop_wish)
            return self._deliver(job.model_copy(update={"reason": reason}), pages, reason, execution)
        if not job.document.collect.dataset:
            return self._deliver(job, pages, None, execution)
        return self._look_at(job, pages, execution)

    def _look_at(self, job: Job, pages: Pages, execution: ExecutionToken) -> LastStep | NextWave:
        verdict = judge(pages, start=job.document.collect.offset, stop=stop_of(job, job.collection.items_end))
        match verdict:
            case Proof(end=end):
                return self._settle(job, pages, end, execution)
            case More() if has_caught_up(pages, job.collection.items_end):
                return self._deliver(job, pages, None, execution)
            case More():
                seems_to_grow = job.document.dataset_id is not None and len(short_pages(pages)) > 1
                return self._again(job, self._secs_to_settle(job) if seems_to_grow or not pages else 0)
            case Gap():
                return self._mend(job, pages, verdict, execution)
            case _:
                assert_never(verdict)

    def _settle(self, job: Job, pages: Pages, end: int, execution: ExecutionToken) -> LastStep | NextWave:
        """Believe the end that was read when the platform's counter, which lags behind the items, has reached it, or
        has had time enough to do so.
        """
        stop = stop_of(job, job.collection.items_end)
        if stop is not None and end >= stop:
            if is_moving(job):
                return self._settle_moving(job, pages, execution)
            return self._deliver(job, pages, None, execution)
        total = _named_total(pages)
        if total > end and not self._was_corrected(job, pages, end):
            gap = Gap([max(pages)], f"the platform counts {total:,} items but returned {end:,}")
            return self._mend(job, pages, gap, execution)
        has_reached_it = 0 < total == end and _last_total(pages) is not None
        if has_reached_it or (job.collection.planned_at or 0) >= settled_at(job, self.settings):
            return self._deliver(job, pages, None, execution)
        remaining = self._secs_to_settle(job)
        return self._again(job, min(remaining, LAG_LOOK_SECS) if end else remaining)

    def _was_corrected(self, job: Job, pages: Pages, end: int) -> bool:
        """Return whether the platform's counter, which was ahead of the rows, has come down to them. What it says last
        is believed only after as many waves as a missing page gets: another replica may lag.
        """
        says = _last_total(pages)
        return job.failures >= WAVE_TRIES - 1 and says is not None and says <= end

    def _settle_moving(self, job: Job, pages: Pages, execution: ExecutionToken) -> LastStep | NextWave:
        """Believe windows that are counted from the last row only if no row came: each new one moves them."""
        wait = (job.collection.stored_at or 0) + self.settings.dataset_lag_secs - self.ledger.now()
        if wait > 0:
            return self._again(job, wait)
        total = get_dataset(self.platform, job.run.dataset_id or DatasetId("")).item_count
        if total == job.collection.items_end:
            return self._deliver(job, pages, None, execution)
        message = (
            f"The dataset grew from {job.collection.items_end:,} to {total:,} items while it was read from its end "
            "(desc). Some rows may be delivered twice and others be missing. Retry when nothing writes to it, or order "
            "without desc."
        )
        return self._deliver(job, pages, Reason(code=Code.DATASET_GREW, message=message, billed=False), execution)

    def _secs_to_settle(self, job: Job) -> float:
        """Return the seconds until the counters have settled. No page of a format that can't be cut is planned before:
        its one file is asked for once.
        """
        return max(settled_at(job, self.settings) - self.ledger.now(), 0)

    def _mend(self, job: Job, pages: Pages, gap: Gap, execution: ExecutionToken) -> LastStep | NextWave:
        """Fetch just the pages that aren't stored again; after some waves that bring nothing, end without them. What
        the platform refuses as the document asks for it is asked for twice.

        A missing dataset is believed as late as everything else: it was then missing during all waves.
        """
        bad = [page for page in pages.values() if isinstance(page, Receipt) and not page.is_good]
        final = next((page for page in bad if page.code is Code.FORMAT_FAILED), None)
        if final is None and bad and all(page.refused_twice for page in bad):
            final = bad[0]
        if final is None and job.collection.pages > job.collection.pages_before:
            return self._again(job, WAVE_BACK_OFF_SECS[0])
        if final is None and job.failures < WAVE_TRIES - 1:
            return self._again(job, back_off_s(WAVE_BACK_OFF_SECS, job.failures), failed=True)
        worst = final or (bad[0] if bad else None)
        return self._deliver(job, pages, _missing_pages(job, pages, gap, worst), execution)

    def _again(self, job: Job, seconds: float, *, failed: bool = False) -> LastStep | NextWave:
        epoch = self.ledger.change(
            job.key,
            Change(
                next_epoch=True,
                due_in_s=seconds + self.settings.lost_message_secs,
                fields={"sent_at": NOW, "failures": job.failures + 1 if failed else 0, "failed_alike": 0},
            ),
            states={State.COLLECTING},
            epoch=job.epoch,
        )
        return Stop() if epoch is None else NextWave(epoch, seconds)

    def _deliver(
        self, job: Job, pages: Pages, failure: Reason | None, execution: ExecutionToken
    ) -> LastStep | NextWave:
        deliverer = Deliverer(self.ledger, self.platform, self.settings, self.installation)
        last_look = LastLook(self.ledger, self.platform, self.settings)
        run = last_look.read(job, is_needed=failure is None and needs_final_cost(job))
        if run and has_run_on(job, run) and not deliverer.is_published(job):
            last_look.go_back(job, pages, run)
            return Stop()
        judge = RowsJudge(self.ledger, self.settings)
        if failure is None:
            job = judge.judge_all(job, pages)
            if needs_final_cost(job):
                if (wait := secs_to_final_cost(job, self.ledger.now())) > 0:
                    return self._again(job, wait)
                job = judge.judge_all(self._with_final_cost(job, run), pages)
        return deliverer.deliver(job, pages, failure, execution)

    def _with_final_cost(self, job: Job, run: Run | None) -> Job:
        """Return the job with its run's final cost. Of a run that is gone, whose rows are here, the known one has to
        do.
        """
        if run is None or not run.is_terminal:
            return job
        fields = cost_fields(job, run.usage_total_usd)
        self.ledger.change(job.key, Change(fields=fields), states={State.COLLECTING}, epoch=job.epoch)
        return job.model_copy(update={"run": job.run.after(fields)})


def needs_final_cost(job: Job) -> bool:
    """Return whether the run's final cost decides how the job ends: by the first figure the rows keep their price."""
    guard = job.document.guard
    is_judged = guard is not None and guard.max_usd_per_1000 is not None
    return is_judged and job.broken is None and job.reason is None and job.run.id is not None


def secs_to_final_cost(job: Job, now: float) -> float:
    """Return seconds until the run's cost is final; docs/platform-facts.md#final-figures."""
    ended_at = job.collection.started_at
    return 0.0 if ended_at is None else secs_until_final(ended_at, now)


def _missing_pages(job: Job, pages: Pages, gap: Gap, worst: Receipt | None) -> Reason:
    """Return why the job ends without some of its pages, of which `worst` is the one that tells most."""
    code = worst.code if worst and worst.code else Code.PAGE_UNREADABLE
    said = f": {worst.error}" if worst else f" ({gap.why})"
    message = f"{len(gap.page_nos)} of {len(pages)} pages could not be stored{said}"
    if code is Code.DATASET_VANISHED and job.document.starts_run:
        message += (
            ". `retry` searches for them once more; if they are still missing, a second `retry` starts another paid run"
        )
    if worst and code is Code.FORMAT_FAILED:
        message = worst.error or message
    if worst and code is Code.DOCUMENT_INVALID:
        message = _refused_rows(job, worst)
    platform_type = worst.platform_type if worst else None
    return Reason(code=code, message=message, platform_type=platform_type, billed=job.run.id is not None)


def _refused_rows(job: Job, refused: Receipt) -> str:
    """Return why the platform returns no rows as the document asks for them, and how to get them."""
    view = job.document.collect.view
    is_of_view = view is not None and refused.platform_type in VIEW_TYPES
    cause = (
        f"`collect.view` {view!r} isn't a view of this dataset" if is_of_view else "`collect` asks for them like that"
    )
    change = "another view, or none" if is_of_view else "another `collect`"
    return (
        f"The platform refused the rows twice: {refused.error}. {cause}, and a retry would ask for the same. No row is "
        f"lost: order dataset_id {job.run.dataset_id} with {change}, which costs no run."
    )


def _named_total(pages: Pages) -> int:
    """Return the largest total that the responses with the pages named: each may lag."""
    return max((page.total or 0 for page in pages.values() if isinstance(page, Receipt)), default=0)


def _last_total(pages: Pages) -> int | None:
    """Return the total that came with the read of the end; None: an empty response without headers proves no end."""
    last = pages[max(pages)]
    return last.total if isinstance(last, Receipt) else None
