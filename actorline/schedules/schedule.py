"""A schedule: what is ordered when, and what happens at a due time while the last job is still running."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from celery.schedules import ParseException
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from actorline.batches.inputs.listed import batch_problems
from actorline.delivery.sink import SinkError, open_sink
from actorline.identifiers import JobKey
from actorline.jobs.document.parse import document_problems
from actorline.jobs.document.values import MOST_SECS
from actorline.schedules.rhythm import Interval, Rhythm, WallClock, due_times
from actorline.schedules.template import fill_document, iso_utc
from actorline.time_zone import TimeZoneName

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")  # a key has 200 characters, the due time takes 21
SAMPLES: Final = 12  # orders to check
_ANY_TIME: Final = datetime(2026, 11, 23, 2, tzinfo=UTC)

Overlap = Literal["skip", "queue", "cancel_running", "allow"]
CatchUp = Literal["none", "last"]
OnGuard = Literal["continue", "pause"]


class Schedule(BaseModel):
    """Due by `cron` in `timezone`, or at the multiples of `every_secs` since 1970.

    `overlap`: a due time while the last job is running is skipped, waits for its end (only the newest), cancels that
    job first, or runs in parallel. `catch_up`: of due times while no beat was running, none or the last one runs.
    `on_guard`: whether the schedule is paused when the rows of one of its jobs break their contract.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    cron: str | None = None
    every_secs: int | None = Field(None, ge=1, le=MOST_SECS)
    timezone: TimeZoneName = "UTC"
    enabled: bool = True
    overlap: Overlap = "skip"
    catch_up: CatchUp = "none"
    on_guard: OnGuard = "continue"
    document: dict[str, Any] | None = None
    batch: dict[str, Any] | None = None

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                WallClock(text, ZoneInfo("UTC"))
            except (ParseException, ValueError) as error:
                raise ValueError(f"is not a cron expression of five fields: {error}") from error
        return text

    @model_validator(mode="after")
    def _one_rhythm(self) -> "Schedule":
        if (self.cron is None) == (self.every_secs is None):
            raise ValueError("give exactly one of cron and every_secs")
        return self

    @model_validator(mode="after")
    def _one_document(self) -> "Schedule":
        if (self.document is None) == (self.batch is None):
            raise ValueError("give exactly one of document and batch")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @cached_property
    def rhythm(self) -> Rhythm:
        if self.every_secs is not None:
            return Interval(self.every_secs)
        return WallClock(self.cron or "", self.zone)

    @property
    def rhythm_text(self) -> str:
        return f"{self.cron} {self.timezone}" if self.cron else f"every {self.every_secs} s"

    def order(self, name: str, due: datetime) -> dict[str, Any]:
        """Return the job document, or the batch document, of a due time."""
        return {**fill_document(self.document or self.batch or {}, due, self.zone), "key": due_key(name, due)}

    def document_problems(self) -> list[str]:
        """Return what the orders would be refused for."""
        if "key" in (self.document or self.batch or {}):
            return ["key: a schedule makes its own, {schedule}@{due time}; leave it out"]
        dues = list(islice(due_times(self.rhythm, _ANY_TIME), SAMPLES)) or [_ANY_TIME]
        orders = [self.order("any", due) for due in dues]
        check = document_problems if self.batch is None else batch_problems
        problems = (check(order) or _sink_problems(order) for order in orders)
        return next(filter(None, problems), []) or _folder_problems(orders) or self._guard_problems()

    def _guard_problems(self) -> list[str]:
        """Return why `on_guard` would never pause the schedule."""
        ordered = (self.batch or {}).get("template") or self.document or {}
        guard = ordered.get("guard")
        if self.on_guard == "continue" or (guard and guard.get("on_violation") != "report"):
            return []
        why = 'only reports (on_violation: "report")' if guard else "isn't given"
        return [f'guard: on_guard = "pause" pauses the schedule when guard is broken, and that {why}']


def due_key(name: str, due: datetime) -> JobKey:
    """Return `nightly@2026-11-23T03:00:00Z`: all orders of this due time are the same job."""
    return JobKey(f"{name}@{iso_utc(due)}")


def _sink_problems(order: Mapping[str, Any]) -> list[str]:
    try:
        _folder(order)
    except SinkError as error:
        return [f"sink.url: {error}"]
    return []


def _folder_problems(orders: Sequence[Mapping[str, Any]]) -> list[str]:
    """Check that each order has its own folder: a folder belongs to the job that claimed it; a second is refused."""
    folders = [folder for order in orders if (folder := _folder(order)) and "run_id" not in folder]
    if len(set(folders)) == len(folders):
        return []
    return ["sink.url: two due times would have the same folder; put {key} or {due} into it"]


def _folder(order: Mapping[str, Any]) -> str | None:
    """Return the sink's folder as far as it is known before the job; None: the default one, which has the key."""
    url = order.get("sink", {}).get("url")
    return None if url is None else open_sink(url.replace("{key}", order["key"])).url
