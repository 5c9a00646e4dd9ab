"""Schedules that are paused: nothing is ordered for their due times until they are resumed."""

from collections.abc import Mapping
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict

from actorline.identifiers import JobKey
from actorline.jobs.job_key import schedule_of
from actorline.jobs.member_key import batch_key_of
from actorline.ledger.ledger import Ledger


class SchedulePause(BaseModel):
    """Since when a schedule is paused (unix seconds by Redis), by whom, and why. A pause by its job's guard counts only
    if the schedule says `on_guard = "pause"`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: float
    by: Literal["hand", "guard"]
    job_key: JobKey | None = None
    message: str | None = None

    def counts(self, on_guard: str) -> bool:
        return self.by == "hand" or on_guard == "pause"


def pause_schedule(ledger: Ledger, name: str) -> None:
    """Order nothing for the schedule until it is resumed. Safe to repeat."""
    pause = SchedulePause(at=ledger.now(), by="hand")
    ledger.redis.hset(ledger.name("schedule_pauses"), name, pause.model_dump_json(exclude_none=True))


def pause_for_guard(ledger: Ledger, key: JobKey, message: str) -> None:
    """Pause the schedule that ordered the job, or its batch, whose rows broke their contract. Safe to repeat; a pause
    that is there already stays.
    """
    if schedule := schedule_of(batch_key_of(key)):
        pause = SchedulePause(at=ledger.now(), by="guard", job_key=key, message=message)
        ledger.redis.hsetnx(ledger.name("schedule_pauses"), schedule, pause.model_dump_json(exclude_none=True))


def resume_schedule(ledger: Ledger, name: str) -> bool:
    """Order again from the next due time on. Return whether the schedule was paused."""
    return bool(ledger.redis.hdel(ledger.name("schedule_pauses"), name))


def paused_schedules(ledger: Ledger) -> dict[str, SchedulePause]:
    """Return schedule name -> its pause."""
    stored = cast("dict[str, str]", ledger.redis.hgetall(ledger.name("schedule_pauses")))
    return read_pauses(stored)


def read_pauses(stored: Mapping[str, str]) -> dict[str, SchedulePause]:
    return {name: SchedulePause.model_validate_json(text) for name, text in stored.items()}
