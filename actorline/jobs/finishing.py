"""The stage *finish*: the receipts decide whether everything is here, is to be fetched again, or is delivered."""

from dataclasses import dataclass
from typing import Final

from actorline.delivery.receipt import Receipt
from actorline.delivery.windows import Gap, More, Pages, Proof, judge
from actorline.errors import Code, Reason
from actorline.jobs.collecting import settled_at
from actorline.jobs.delivering import Deliverer
from actorline.jobs.ending import stop_reason
from actorline.jobs.job import Job
from actorline.jobs.ledger import Ledger
from actorline.jobs.states import State
from actorline.jobs.step import Moved, Step, Stop, Wait
from actorline.jobs.watch import watch_secs
from actorline.platform.client import Platform
from actorline.settings import Settings

WAVE_TRIES: Final = 4  # waves that bring nothing before the missing pages are given up; each page has had its own tries
FOR_GOOD: Final = frozenset({Code.DATASET_VANISHED, Code.FORMAT_FAILED})  # no wave brings such a page
LAG_LOOK_SECS: Final = 2.0  # counters lag for 5 to 10 s (fact sheet, section 6)
WAVE_BACK_OFF_SECS: Final = (2.0, 10.0, 30.0)


@dataclass(frozen=True)
class Finisher:
    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def advance(self, key: str, epoch: int, execution: str) -> Step:
        """Moved: another wave is needed now; Wait: in so many seconds; Ended: the job has its end."""
        job = self.ledger.load(key)
        if job is None or job.epoch != epoch or job.state is not State.COLLECTING:
            return Stop()
        pages = self.ledger.pages(key, job.attempt)
        if job.wanted:
            reason = stop_reason(job, job.wanted)
            self.ledger.change(
                key,
                states={State.COLLECTING},
                epoch=epoch,
                fields={"wanted": "", "reason": reason},
            )
            return self._deliver(job.model_copy(update={"reason": reason}), pages, reason, execution)
        if not job.order.collect.dataset:
            return self._deliver(job, pages, None, execution)
        start, limit = job.order.collect.offset, job.order.collect.limit
        verdict = judge(pages, start=start, stop=None if limit is None else start + limit)
        match verdict:
            case Proof(end=end):
                return self._settle(job, pages, end, execution)
            case More():
                return self._again(job, 0 if pages else self._secs_to_settle(job))
            case Gap():
                return self._mend(job, pages, verdict, execution)

    def _settle(self, job: Job, pages: Pages, end: int, execution: str) -> Step:
        """The end was read. It is believed when the platform's counter, which lags behind the items but never runs
        ahead, has reached it, or when there was time enough for it to do so.
        """
        limit = job.order.collect.limit
        if limit is not None and end >= job.order.collect.offset + limit:
            return self._deliver(job, pages, None, execution)
        total = _named_total(pages)
        if total > end:
            gap = Gap([max(pages)], f"the platform names {total:,} items and shows {end:,}")
            return self._mend(job, pages, gap, execution)
        if 0 < total == end or (job.planned_at or 0) >= settled_at(job, self.settings):
            return self._deliver(job, pages, None, execution)
        remaining = self._secs_to_settle(job)
        return self._again(job, min(remaining, LAG_LOOK_SECS) if end else remaining)

    def _secs_to_settle(self, job: Job) -> float:
        """No page is planned before that for a format that can't be cut: its one file is asked for once."""
        return max(settled_at(job, self.settings) - self.ledger.now(), 0)

    def _mend(self, job: Job, pages: Pages, gap: Gap, execution: str) -> Step:
        """Some pages aren't stored: fetch just those again, and after some waves end without them."""
        bad = [page for page in pages.values() if isinstance(page, Receipt) and not page.is_good]
        final = next((page for page in bad if page.code in FOR_GOOD), None)
        if job.failures < WAVE_TRIES - 1 and final is None:
            return self._again(job, WAVE_BACK_OFF_SECS[min(job.failures, len(WAVE_BACK_OFF_SECS) - 1)], failed=True)
        worst = final or (bad[0] if bad else None)
        code = worst.code if worst and worst.code else Code.PAGE_UNREADABLE
        said = f": {worst.error}" if worst else f" ({gap.why})"
        message = f"{len(gap.page_nos)} of {len(pages)} pages could not be stored{said}"
        if worst and code is Code.FORMAT_FAILED:
            message = worst.error or message
        return self._deliver(job, pages, Reason(code=code, message=message, billed=job.run_id is not None), execution)

    def _again(self, job: Job, seconds: float, *, failed: bool = False) -> Step:
        won = self.ledger.change(
            job.key,
            states={State.COLLECTING},
            epoch=job.epoch,
            care_s=seconds + watch_secs(self.settings),
            fields={"sent_at": "@now", "failures": job.failures + 1 if failed else 0},
        )
        if won is None:
            return Stop()
        return Wait(seconds) if seconds else Moved()

    def _deliver(self, job: Job, pages: Pages, failure: Reason | None, execution: str) -> Step:
        deliverer = Deliverer(self.ledger, self.platform, self.settings, self.installation)
        return deliverer.deliver(job, pages, failure, execution)


def _named_total(pages: Pages) -> int:
    """The largest total that the platform named in the last answers; it lags, but never runs ahead."""
    return max((page.total or 0 for page in pages.values() if isinstance(page, Receipt)), default=0)
