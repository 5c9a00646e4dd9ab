"""Rows judged by the document's `guard` and `stop_when`: while their run is running, and when all of them are stored.

What is judged is the sum of what the pages' receipts say, so a page that is fetched twice counts once. While the run is
running a broken contract, or enough rows, become a stop wish: from there on the run is aborted as any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from actorline.delivery.key_sample import compare_keys
from actorline.delivery.page_plan import Pages, stored_in_a_row
from actorline.delivery.receipt import Receipt
from actorline.delivery.row_counter import RowLook
from actorline.delivery.row_counts import RowCounts, RowsSeen, add_up
from actorline.identifiers import JobKey
from actorline.jobs.document.guard import Broken, Enough, Standing, broken_rule, reached
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.job import Job, StopWish
from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.admission.schedule_pauses import pause_for_guard
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.platform.statuses import RunStatus
from actorline.settings import Settings


def is_watched(document: JobDocument) -> bool:
    """Return whether the rows are judged while their run is running."""
    return document.guard is not None or document.stop_when is not None


def row_look(document: JobDocument) -> RowLook | None:
    """Return what is looked at in each row; None: nothing, so its bytes are passed through unread."""
    guard, stop_when = document.guard, document.stop_when
    look = RowLook(
        required=guard.required if guard else (),
        types=guard.types if guard else {},
        key=guard.unique if guard else (),
        matches=(stop_when.matches if stop_when else None) or {},
    )
    return look if look.required or look.types or look.key or look.matches else None


@dataclass(frozen=True)
class RowsJudge:
    ledger: Ledger
    settings: Settings

    def judge_running(self, key: JobKey) -> None:
        """Judge what is stored of a running run, and record that it is to stop. Safe to repeat at any time."""
        job = self.ledger.load(key)
        if job is None or job.state is not State.RUNNING or job.stop_wish or not is_watched(job.document):
            return
        guard, stop_when = job.document.guard, job.document.stop_when
        seen = self._seen(job, self.ledger.pages.all(key, job.attempt))
        standing = self._standing(job, seen)
        broken = broken_rule(guard, seen, standing) if guard and job.broken is None else None
        if broken and self._break(job, broken).stops:
            return
        if stop_when and (enough := reached(stop_when, seen, standing)):
            self._stop(job, enough)

    def judge_all(self, job: Job, pages: Pages) -> Job:
        """Judge all rows of a job, which are stored, and return it with the rule that they broke, if there is one."""
        if job.document.guard is None or job.broken:
            return job
        seen = self._seen(job, pages)
        broken = broken_rule(job.document.guard, seen, Standing(rows=seen.rows, usd=job.run.cost_usd, is_ended=True))
        return job.model_copy(update={"broken": self._break(job, broken)}) if broken else job

    def _seen(self, job: Job, pages: Pages) -> RowsSeen:
        stored = stored_in_a_row(pages, job.document.collect.offset)
        counts = [page.seen or RowCounts(rows=page.items) for page in stored]
        seen = add_up(counts)
        if job.document.guard is None or not job.document.guard.unique:
            return seen
        return self._with_keys(job, seen, stored, [0, *accumulate(page.rows for page in counts)])

    def _with_keys(self, job: Job, seen: RowsSeen, stored: Sequence[Receipt], before: Sequence[int]) -> RowsSeen:
        samples = self.ledger.pages.row_keys(job.key, job.attempt)
        pages = [(rows, page.page_no) for page, rows in zip(stored, before, strict=False) if page.page_no in samples]
        keys = compare_keys([(rows, samples[page_no]) for rows, page_no in pages])
        return replace(seen, keyed=keys.keyed, keys=keys.keys, duplicates=keys.duplicates)

    def _standing(self, job: Job, seen: RowsSeen) -> Standing:
        """Return how a running run stands; rows that its dataset has count before they are read."""
        collect, counted = job.document.collect, job.collection.items_total or 0
        there = counted if collect.stop is None else min(counted, collect.stop)
        rows = max(seen.rows, there - collect.offset) if collect.keeps_count else seen.rows
        return Standing(rows=rows, usd=job.run.cost_usd, silent_s=self._silent_s(job))

    def _silent_s(self, job: Job) -> float | None:
        """Return seconds since the dataset was last seen to grow, less the lag of its counter."""
        since = job.collection.grew_at or job.run.known_at
        if job.run.status != RunStatus.RUNNING or since is None:
            return None
        return max(self.ledger.now() - since - self.settings.dataset_lag_secs, 0)

    def _break(self, job: Job, broken: Broken) -> Broken:
        """Record the broken rule; where it ends the job, its schedule is paused first, as nothing may be ordered
        between the two.
        """
        ends_job = job.document.guard is not None and job.document.guard.on_violation == "abort"
        stops = ends_job and job.state is State.RUNNING
        told = broken.model_copy(update={"stops": stops})
        if ends_job:
            pause_for_guard(self.ledger, job.key, broken.message)
        words = f"{'aborted' if stops else 'judged'} after {broken.rows:,} rows: {broken.message}"
        rows = ", ".join(map(str, broken.first))
        self.ledger.change(
            job.key,
            Change(
                due_in_s=0 if stops else "unchanged",
                guards={"stop_wish": None, "reason": None, "broken": None, "attempt": job.attempt},
                event=TimelineEvent.GUARD_BROKEN,
                data={"rule": broken.rule, "message": words, "bad_rows": rows, "cost_usd": job.run.cost_usd},
                fields={"broken": told, **({"stop_wish": StopWish.GUARD, "is_planned": True} if stops else {})},
            ),
            states={job.state},
            epoch=None,
        )
        return told

    def _stop(self, job: Job, enough: Enough) -> None:
        self.ledger.change(
            job.key,
            Change(
                due_in_s=0,
                guards={"stop_wish": None, "reason": None, "enough": None, "attempt": job.attempt},
                event=TimelineEvent.ENOUGH_ROWS,
                data={
                    "rule": enough.rule,
                    "message": f"stopped after {enough.rows:,} rows: {enough.message}",
                    "cost_usd": job.run.cost_usd,
                },
                fields={"enough": enough, "stop_wish": StopWish.ENOUGH, "is_planned": True},
            ),
            states={State.RUNNING},
            epoch=None,
        )
