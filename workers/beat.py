"""Beat: orders the job of each due time, once, however many beats run and however often they are restarted."""

from datetime import UTC, datetime
from typing import Any, Final

import structlog
from celery.apps.beat import Beat
from celery.beat import Scheduler
from celery.schedules import BaseSchedule, schedstate

from actorline.errors import Refused, Unavailable
from actorline.jobs.messages import send_upkeep
from actorline.jobs.submit import submit
from actorline.settings import Settings
from config.schedules import SCHEDULES_FILE, Schedule, due_key, load_schedules
from tasks.environment import ledger, settings
from workers.app import app

log = structlog.get_logger(__name__)

MAX_SLEEP_SECS: Final = 30  # looks at the clock at least so often, so that a clock that is set shows


class DueTimes(BaseSchedule):
    """A schedule of ours, as Celery asks for it."""

    def __init__(self, schedule: Schedule, **options: Any) -> None:
        super().__init__(**options)
        self.schedule = schedule

    def latest(self, last_run_at: datetime) -> datetime | None:
        return self.schedule.latest_due(last_run_at, datetime.now(UTC))

    def is_due(self, last_run_at: datetime) -> schedstate:
        now = datetime.now(UTC)
        due = self.schedule.latest_due(last_run_at, now)
        following = self.schedule.next_due(now)
        wait = (following - now).total_seconds() if following else MAX_SLEEP_SECS
        return schedstate(is_due=due is not None, next=min(max(wait, 0.001), MAX_SLEEP_SECS))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DueTimes) and other.schedule == self.schedule

    def __hash__(self) -> int:
        return hash((self.schedule.cron, self.schedule.every_secs, self.schedule.timezone))


class DueScheduler(Scheduler):
    """Orders go into the ledger first, then the key is sent. What Redis didn't take is owed and tried at each tick."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._owed: dict[str, dict[str, Any]] = {}
        super().__init__(*args, **options)

    def tick(self, *args: Any, **options: Any) -> float:
        for key in list(self._owed):
            self._order(key, self._owed[key])
        return min(super().tick(*args, **options), 1.0 if self._owed else MAX_SLEEP_SECS)

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **options: Any) -> None:
        del producer, advance, options
        times: DueTimes = entry.schedule
        due = times.latest(entry.last_run_at)
        if due is not None:
            self._order(due_key(entry.name, due), times.schedule.document)

    def _order(self, key: str, document: dict[str, Any]) -> None:
        try:
            submitted = submit({**document, "key": key}, ledger=ledger(), settings=settings(), trusted=True)
        except Refused as error:
            log.error("schedule_refused", job_key=key, message=str(error))  # noqa: TRY400 - foreseeable: no traceback
        except Unavailable as error:
            log.warning("schedule_waits", job_key=key, message=str(error))
            self._owed[key] = document
            return
        else:
            log.info("schedule_ordered", job_key=key, created=submitted.created)
            if submitted.created:
                send_upkeep(self.app, settings().namespace, key)
        self._owed.pop(key, None)


def run_beat(settings: Settings) -> None:
    """Run until SIGTERM. Raises SettingsError for a schedules file that is wrong."""
    file = settings.schedules_file or settings.home / SCHEDULES_FILE
    schedules = load_schedules(file) if settings.schedules_file or file.exists() else {}
    app.conf.beat_schedule = {
        name: {"task": "actorline.run", "schedule": DueTimes(schedule, app=app)} for name, schedule in schedules.items()
    }
    Beat(
        app=app,
        scheduler_cls="workers.beat:DueScheduler",
        max_interval=MAX_SLEEP_SECS,
        loglevel=settings.log_level,
        quiet=True,
    ).run()
