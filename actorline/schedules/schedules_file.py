"""`schedules.toml`: read and checked as a whole; if it has one mistake, nothing is scheduled.

[schedules.nightly]
cron = "0 3 * * *"             # or every_secs = 3600
timezone = "Europe/Prague"     # default UTC
overlap = "skip"               # while the last job is running: skip, queue, cancel_running, allow
catch_up = "none"              # of due times while no beat was running: none, last
enabled = true
[schedules.nightly.document]   # a job document without key; {due} and {date} in it are filled in
actor = "apify/web-scraper"    # or [schedules.nightly.batch]: a batch document without key
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from actorline.errors import SettingsError
from actorline.host.trusted_file import distrust
from actorline.nearest import nearest
from actorline.plain_words import in_plain_words
from actorline.settings import Settings

if TYPE_CHECKING:  # a schedule loads Celery's crontab, and most installations have no schedules
    from pydantic_core import ErrorDetails

    from actorline.schedules.schedule import Schedule

FILE_NAME: Final = "schedules.toml"
WHO_READS_IT: Final = "A beat that starts now schedules nothing; one that is running keeps to what it has read"
_DAY_SECS: Final = 86_400
_GOOD: Final = {"actor": "any"}  # replaces a missing document, which is reported elsewhere
_OTHER_WORDS: Final[Mapping[str, str]] = {
    "schedule": "cron",
    "crontab": "cron",
    "interval": "every_secs",
    "every": "every_secs",
    "tz": "timezone",
    "catchup": "catch_up",
    "disabled": "enabled",
    "job": "document",
}


@dataclass(frozen=True)
class FileProblem:
    """`place`: where in the file, as in `schedules.nightly.cron`; "" for the file itself."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


class InvalidSchedules(SettingsError):
    """The file can't be used; `problems` are all that were found."""

    def __init__(self, file: Path, problems: list[FileProblem]) -> None:
        self.file, self.problems = file, problems
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{file} is invalid. {WHO_READS_IT}:{lines}")


def find_schedules(settings: Settings) -> Path | None:
    """Return the file that the settings name, else the one in the home if it exists.

    Raises InvalidSchedules for one in the home that other users could have written.
    """
    if settings.schedules_file:
        return settings.schedules_file
    file = settings.home / FILE_NAME
    if not file.exists():
        return None
    if why := distrust(file, also=settings.home.stat().st_uid):
        text = f"{why}. If it is right, name it: ACTORLINE_SCHEDULES_FILE={file}"
        raise InvalidSchedules(file, [FileProblem("", text)])
    return file


def load_schedules(file: Path) -> Mapping[str, Schedule]:
    """Return schedule name -> schedule, in the file's order. Raises InvalidSchedules that names each mistake."""
    try:
        raw = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InvalidSchedules(file, [FileProblem("", f"it can't be read: {error.strerror}")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSchedules(file, [FileProblem("", f"it is not TOML: {error}")]) from error
    sections = raw.pop("schedules", {})
    problems = [FileProblem(name, f"is not known{nearest(name, ['schedules'])}") for name in raw]
    if not isinstance(sections, dict):
        raise InvalidSchedules(file, [*problems, FileProblem("schedules", "is not a table of schedules")])
    schedules: dict[str, Schedule] = {}
    for name, section in sections.items():
        checked = _check(name, section)
        if isinstance(checked, list):
            problems += checked
        else:
            schedules[name] = checked
    if problems:
        raise InvalidSchedules(file, problems)
    return schedules


def _check(name: str, section: Any) -> Schedule | list[FileProblem]:
    from actorline.schedules.schedule import NAME, Schedule

    place, problems = f"schedules.{name[:60]}", []
    if not NAME.fullmatch(name):
        problems.append(
            FileProblem(place, "the name must be 1 to 100 letters, digits, - and _, a letter or digit first")
        )
    try:
        schedule = Schedule.model_validate(section)
    except ValidationError as error:
        problems += [_problem(place, detail) for detail in error.errors(include_url=False, include_input=False)]
        given = {name: value for name in ("document", "batch") if isinstance(value := _part(section, name), dict)}
        schedule = Schedule(every_secs=_DAY_SECS, **(given if len(given) == 1 else {"document": _GOOD}))
    kind = "document" if schedule.batch is None else "batch"
    problems += [FileProblem(f"{place}.{kind}", text) for text in schedule.document_problems()]
    return problems or schedule


def _part(section: Any, name: str) -> Any:
    return section.get(name) if isinstance(section, dict) else None


def _problem(place: str, detail: ErrorDetails) -> FileProblem:
    from actorline.schedules.schedule import Schedule

    path = [str(part) for part in detail["loc"]]
    field = path[-1] if path else ""
    match detail["type"]:
        case "extra_forbidden":
            meant = _OTHER_WORDS.get(field.lower())
            text = f"is not known{nearest(meant or field, Schedule.model_fields)}"
        case "missing":
            text = "is missing"
        case "literal_error":
            text = f"must be {detail['ctx']['expected']}"
        case _:
            text = in_plain_words(detail["type"], detail["msg"])
    return FileProblem(".".join([place, *path]), text)
