"""`schedules.toml`: what is ordered when. A due time follows from the schedule alone, so two beats agree on it.

[schedules.nightly]
cron = "0 3 * * *"             # or every_secs = 3600
timezone = "Europe/Prague"     # default UTC
[schedules.nightly.document]   # a job document without key
actor = "apify/web-scraper"
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from actorline.errors import Refused
from actorline.jobs.document import parse_document
from actorline.settings import SettingsError

SCHEDULES_FILE: Final = "schedules.toml"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")  # a key has 200 characters, the due time takes 21
_MINUTE: Final = timedelta(minutes=1)
_LOOK_AHEAD: Final = timedelta(days=366 * 8 + 2)  # 29 February comes at least once in eight years


class Schedule(BaseModel):
    """Due times in UTC: whole minutes that match `cron` in `timezone`, or multiples of `every_secs` since 1970."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cron: str | None = None
    every_secs: int | None = Field(None, ge=1)
    timezone: str = "UTC"
    document: dict[str, Any]

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                crontab.from_string(text)
            except (ParseException, ValueError) as error:
                message = f"is no cron expression of five fields: {error}"
                raise ValueError(message) from error
        return text

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, KeyError) as error:
            message = f"{name!r} is no time zone; take a name such as Europe/Prague"
            raise ValueError(message) from error
        return name

    @field_validator("document")
    @classmethod
    def _is_document(cls, document: dict[str, Any]) -> dict[str, Any]:
        if "key" in document:
            raise ValueError("has a key; a schedule makes its own, {schedule}@{due time}")
        try:
            parse_document(document)
        except Refused as error:
            raise ValueError(str(error)) from None
        return document

    @model_validator(mode="after")
    def _one_rhythm(self) -> "Schedule":
        if (self.cron is None) == (self.every_secs is None):
            raise ValueError("give exactly one of cron and every_secs")
        return self

    def next_due(self, after: datetime) -> datetime | None:
        """The first due time later than `after`; None: there is none in the next years."""
        if self.every_secs is not None:
            return datetime.fromtimestamp((int(after.timestamp()) // self.every_secs + 1) * self.every_secs, UTC)
        return next(self._cron_times(after), None)

    def latest_due(self, after: datetime, until: datetime) -> datetime | None:
        """The last due time in `(after, until]`: a beat that was late leaves out the earlier ones."""
        latest, due = None, self.next_due(after)
        while due is not None and due <= until:
            latest, due = due, self.next_due(due)
        return latest

    def _cron_times(self, after: datetime) -> Iterator[datetime]:
        cron: Any = crontab.from_string(self.cron or "")  # the stubs lack its fields
        zone = ZoneInfo(self.timezone)
        moment = after.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
        end = moment + _LOOK_AHEAD
        while moment < end:
            local = moment.astimezone(zone)
            if not _day_matches(cron, local):
                midnight = datetime(local.year, local.month, local.day, tzinfo=zone) + timedelta(days=1)
                moment = max(midnight.astimezone(UTC), moment + _MINUTE)
            elif local.hour in cron.hour and local.minute in cron.minute:
                yield moment
                moment += _MINUTE
            else:
                moment += _MINUTE


def due_key(name: str, due: datetime) -> str:
    """`nightly@2026-11-23T03:00:00Z`: whoever orders this due time orders the same job."""
    return f"{name}@{due.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%SZ')}"


def load_schedules(file: Path) -> Mapping[str, Schedule]:
    """Schedule name -> schedule. Raises SettingsError that names each mistake."""
    try:
        raw = tomllib.loads(file.read_text())
        return _File.model_validate(raw).schedules
    except (OSError, tomllib.TOMLDecodeError) as error:
        message = f"{file} can't be read: {error}"
        raise SettingsError(message) from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False)
        ]
        message = f"{file} is wrong: {'; '.join(lines)}. Nothing is scheduled."
        raise SettingsError(message) from None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    schedules: dict[str, Schedule] = {}

    @field_validator("schedules")
    @classmethod
    def _names(cls, schedules: dict[str, Schedule]) -> dict[str, Schedule]:
        for name in schedules:
            if not _NAME.fullmatch(name):
                message = (
                    f"the name {name!r} must consist of letters, digits, - and _, at most 100, a letter or digit first"
                )
                raise ValueError(message)
        return schedules


def _day_matches(cron: Any, local: datetime) -> bool:
    return (
        local.month in cron.month_of_year
        and local.day in cron.day_of_month
        and local.isoweekday() % 7 in cron.day_of_week
    )
