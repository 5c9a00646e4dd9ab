"""Resurrecting a failed run: with an intent on disk, asked for once, and judged by what the run shows afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from actorline.jobs.job import Job, Resurrection, iso_time
from actorline.jobs.ledger import Ledger
from actorline.jobs.states import State
from actorline.jobs.step import Step, Stop, Wait
from actorline.jobs.watch import watch_secs
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.runs import Run, resurrect_run
from actorline.settings import Settings

CAPACITY_SECS: Final = 20.0  # capacity comes back within minutes


@dataclass(frozen=True)
class Resurrector:
    ledger: Ledger
    platform: Platform
    settings: Settings

    def resurrect(self, job: Job, run: Run) -> Step:
        """Set the run going again. What a lost reply hides, the next poll sees: the run goes on, or counts it."""
        every = job.order.poll_interval_secs
        intent = Resurrection(
            expected=(run.stats.resurrect_count or 0) + 1,
            at=self.ledger.now(),
            finished_at=iso_time(run.finished_at.timestamp()) if run.finished_at else None,
        )
        number = job.resurrects + 1
        told = {"number": number, "run_status": run.status, "cost_usd": run.usage_total_usd}
        asked = self._note(
            job,
            "resurrecting",
            told,
            seconds=every,
            on_disk=True,
            fields={"resurrection": intent, "resurrects": number},
        )
        if isinstance(asked, Stop):
            return asked
        try:
            resurrect_run(self.platform, run.id, job.order.on_failure.resurrect_query())
        except (platform_errors.CapacityExceeded, platform_errors.RateLimited) as error:
            # certain not to have happened: the same one is asked for again later
            back = {"resurrection": None, "resurrects": job.resurrects}
            return self._note(job, "waiting", {"message": str(error)}, seconds=CAPACITY_SECS, fields=back)
        except platform_errors.PlatformUnavailable as error:
            return self._note(job, "resurrection-unclear", {"message": str(error)}, seconds=every)
        except platform_errors.PlatformError as error:
            given_up = {"resurrection": None, "resurrects": job.order.on_failure.resurrect}
            return self._note(job, "resurrection-refused", {"message": str(error)}, seconds=0, fields=given_up)
        return asked

    def _note(
        self,
        job: Job,
        tell: str,
        data: Mapping[str, object],
        *,
        seconds: float,
        on_disk: bool = False,
        fields: Mapping[str, object] | None = None,
    ) -> Step:
        won = self.ledger.change(
            job.key,
            states={State.RUNNING},
            epoch=job.epoch,
            guards={"wanted": ""},
            care_s=seconds + watch_secs(self.settings),
            tell=tell,
            data=data,
            on_disk=on_disk,
            fields={"sent_at": "@now", **(fields or {})},
        )
        return Stop() if won is None else Wait(seconds)
