"""`schedules`: checks the file, shows due times with their outcome, and pauses and resumes a schedule."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from actorline.cli.attach import attach
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import coloured, local_text, out, print_json, say
from actorline.cli.terminal.table import new_table
from actorline.errors import Code, Refused, SettingsError
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.times import iso_time
from actorline.ledger.admission.schedule_pauses import SchedulePause, pause_schedule, resume_schedule
from actorline.ledger.audit import record
from actorline.nearest import nearest
from actorline.schedules.book import Book
from actorline.schedules.decision import Outcome, SchedulePosition
from actorline.schedules.rhythm import due_times, moment
from actorline.schedules.schedule import Schedule, due_key
from actorline.schedules.schedules_file import FILE_NAME, InvalidSchedules, find_schedules, load_schedules
from actorline.schedules.template import iso_utc
from actorline.settings import Settings, load_settings


def check(file: Path | None, *, as_json: bool) -> None:
    path = file or _file(load_settings())
    try:
        names = list(load_schedules(path))
    except InvalidSchedules as error:
        if not as_json:
            raise
        problems = [{"place": problem.place, "text": problem.text} for problem in error.problems]
        print_json({"file": str(path), "is_good": False, "problems": problems})
        raise typer.Exit(Exit.USAGE) from None
    if as_json:
        print_json({"file": str(path), "is_good": True, "schedules": names})
    else:
        out.print(f"ok  {escape(str(path))}: {', '.join(names) or 'no schedules'}")


def list_(*, as_json: bool) -> None:
    settings = load_settings()
    found = load_schedules(_file(settings))
    with attach(settings, workers=False) as stack:
        reading = Book(stack.ledger).read()
        places = {name: entry.place for name, entry in reading.entries.items()}
        keys = {name: key for name in found if (key := _last_key(name, places.get(name)))}
        jobs = dict(zip(keys, stack.ledger.load_many(list(keys.values())), strict=True))
    lines = [
        _facts(name, schedule, places.get(name), keys.get(name), jobs.get(name))
        | {"paused": _pause_facts(reading.pauses.get(name), schedule)}
        for name, schedule in found.items()
    ]
    if as_json:
        for line in lines:
            print_json(line)
        return
    _print_table(found, lines)
    if lines and not reading.beats:
        say("No beat is running: nothing is ordered. Run `actorline up`, or `actorline beat`.")


def pause(name: str, *, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False, undone="Nothing was paused.") as stack:
        if name not in Book(stack.ledger).read().followed:
            _chosen(load_schedules(_file(settings)), name)
        pause_schedule(stack.ledger, name)
        record(stack.ledger, "schedule-paused", FROM_TERMINAL, schedule=name)
    if as_json:
        print_json({"name": name, "paused": True})
    else:
        say(f"Paused: {name}. Nothing is ordered for it until `actorline schedules resume {name}`.")


def resume(name: str, *, as_json: bool) -> None:
    """Resume a schedule, also one that is no longer in the file."""
    settings = load_settings()
    with attach(settings, workers=False, undone="Nothing was resumed.") as stack:
        was_paused = resume_schedule(stack.ledger, name)
        if was_paused:
            record(stack.ledger, "schedule-resumed", FROM_TERMINAL, schedule=name)
    if not was_paused:
        _chosen(load_schedules(_file(settings)), name)
    if as_json:
        print_json({"name": name, "paused": False, "was_paused": was_paused})
    elif was_paused:
        say(f"Resumed: {name}. It is ordered again from its next due time on.")
    else:
        say(f"{name} was not paused.")


def next_(name: str | None, count: int, *, as_json: bool) -> None:
    found = load_schedules(_file(load_settings()))
    chosen = _chosen(found, name)
    coming = merge(*(_coming(each, found[each]) for each in chosen))
    for due, each in islice(coming, count):
        local = due.astimezone(found[each].zone)
        if as_json:
            print_json({"name": each, "due": iso_utc(due), "local": local.isoformat(), "key": due_key(each, due)})
        else:
            out.print(f"{local:%a %Y-%m-%d %H:%M:%S} {found[each].timezone}  {iso_utc(due)}  {escape(each)}")
    if name is not None and not found[name].enabled:
        say(f"{name} is disabled (enabled = false): none of these is ordered.")


def _file(settings: Settings) -> Path:
    file = find_schedules(settings)
    if file is None:
        raise SettingsError(
            f"There is no {FILE_NAME} in {settings.home}. Put it there, or name it in ACTORLINE_SCHEDULES_FILE."
        )
    return file


def _chosen(found: Mapping[str, Schedule], name: str | None) -> list[str]:
    if name is None:
        return [each for each, schedule in found.items() if schedule.enabled]
    if name not in found:
        hint = nearest(name, found) or (f"; there are {', '.join(found)}" if found else "; there is none")
        raise Refused(Code.REQUEST_INVALID, f"No schedule has the name {name[:60]!r}{hint}.")
    return [name]


def _coming(name: str, schedule: Schedule) -> Iterator[tuple[datetime, str]]:
    return ((due, name) for due in due_times(schedule.rhythm, datetime.now(UTC)))


def _last_key(name: str, place: SchedulePosition | None) -> JobKey | None:
    return None if place is None or place.started is None else due_key(name, moment(place.started))


def _facts(
    name: str, schedule: Schedule, place: SchedulePosition | None, key: JobKey | None, job: Job | None
) -> dict[str, Any]:
    last = place.last if place else None
    following = schedule.rhythm.next_due(datetime.now(UTC)) if schedule.enabled else None
    return {
        "name": name,
        "enabled": schedule.enabled,
        "cron": schedule.cron,
        "every_secs": schedule.every_secs,
        "timezone": schedule.timezone,
        "overlap": schedule.overlap,
        "catch_up": schedule.catch_up,
        "on_guard": schedule.on_guard,
        "last_due": iso_utc(moment(last[0])) if last else None,
        "last_fate": last[1] if last else None,
        "next_due": iso_utc(following) if following else None,
        "last_job": {"key": key, "state": job.state if job else None} if key else None,
        "waiting": _iso(place, "waiting"),
        "last_skipped": _iso(place, "skipped"),
        "skips": place.skips if place else 0,
        "last_missed": _iso(place, "missed"),
        "refused": {"due": _iso(place, "refused"), "reason": place.reason} if place and place.refused else None,
    }


def _pause_facts(pause: SchedulePause | None, schedule: Schedule) -> dict[str, Any] | None:
    if pause is None or not pause.counts(schedule.on_guard):
        return None
    return {"at": iso_time(pause.at), "by": pause.by, "job_key": pause.job_key, "message": pause.message}


def _iso(place: SchedulePosition | None, field: str) -> str | None:
    due = getattr(place, field, None)
    return None if due is None else iso_utc(moment(due))


def _print_table(found: Mapping[str, Schedule], lines: list[dict[str, Any]]) -> None:
    columns = ("name", "due", "overlap", "last due", "", "last job", "next due")
    table = new_table(columns, whole={"overlap", "last job"})
    for line in lines:
        schedule = found[line["name"]]
        job = line["last_job"]
        table.add_row(
            escape(line["name"]),
            escape(schedule.rhythm_text),
            schedule.overlap,
            _local(line["last_due"], schedule),
            _outcome_text(line),
            coloured(job["state"]) if job and job["state"] else "",
            _next_text(line, schedule),
        )
    out.print(table)
    for line in lines:
        if pause := line["paused"]:
            why = (
                f"its job {pause['job_key']} broke its contract: {pause['message']}" if pause["job_key"] else "by hand"
            )
            since = local_text(pause["at"])
            say(f"{line['name']} has been paused since {since}, {why}. `actorline schedules resume {line['name']}`")
        if line["refused"]:
            say(f"{line['name']}: {line['refused']['due']} was refused: {line['refused']['reason']}")


def _next_text(line: Mapping[str, Any], schedule: Schedule) -> str:
    if not schedule.enabled:
        return "disabled"
    return "paused" if line["paused"] else _local(line["next_due"], schedule)


def _outcome_text(line: Mapping[str, Any]) -> str:
    if line["last_fate"] == Outcome.SKIPPED and line["skips"] > 1:
        return f"skipped ({line['skips']} in a row)"
    return line["last_fate"] or ""


def _local(due: str | None, schedule: Schedule) -> str:
    return "" if due is None else f"{datetime.fromisoformat(due).astimezone(schedule.zone):%Y-%m-%d %H:%M:%S}"
