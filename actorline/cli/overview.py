"""`actorline` alone: what is going on here, in a few lines, and what to type next."""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.markup import escape

from actorline.cli.attach import attach, is_new_home, unattended_jobs
from actorline.cli.terminal.output import coloured, out
from actorline.cli.terminal.room_text import room_lines
from actorline.cli.terminal.times import duration_text
from actorline.jobs.cost import cost_usd
from actorline.jobs.job import Job
from actorline.jobs.job_result import JobResult
from actorline.jobs.states import LIVE, State
from actorline.ledger.admission.pause import EVERY_ACCOUNT, paused_accounts
from actorline.ledger.admission.schedule_pauses import SchedulePause, paused_schedules
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.listing import list_jobs
from actorline.ledger.queries.tally import read_tally
from actorline.schedules.schedules_file import InvalidSchedules, find_schedules, load_schedules
from actorline.settings import Settings, load_settings
from actorline.story.number_words import counted

RECENT_SECS: Final = 24 * 3600.0
RECENT_JOBS: Final = 1_000
FIRST_STEPS: Final = """\
Nothing has been ordered here yet.
  actorline demo               three jobs against a local Apify: no account is needed
  actorline run user/name      run an Actor; APIFY_TOKEN must hold your token
  actorline up                 a stack that other services order from
  actorline --help             all commands"""
MORE: Final = "`actorline jobs` lists the jobs, `actorline --help` the commands."


def print_overview() -> None:
    """Print what runs, what became of the last day's jobs, what comes next, and what is wrong."""
    settings = load_settings()
    if settings.redis_url is None and is_new_home(settings):
        out.print(FIRST_STEPS)
        return
    with attach(settings, workers=False) as stack:
        live = read_tally(stack.ledger).jobs
        recent = recent_jobs(stack.ledger)
        paused = pause_lines(paused_accounts(stack.ledger))
        room = list(room_lines(stack.ledger, settings.tokens))
        unattended = unattended_jobs(settings, stack.ledger)
        coming = schedule_lines(settings, paused_schedules(stack.ledger))
    if not (recent or paused or any(live.values())):
        out.print(FIRST_STEPS)
        return
    lines = [now_line({state: live[state] for state in LIVE}), *recent_lines(recent), *coming]
    for line in [*lines, *map(escape, [*paused, *room, *([unattended] if unattended else [])]), MORE]:
        out.print(line)


def recent_jobs(ledger: Ledger) -> list[Job]:
    """Return the jobs that were ordered in the last 24 hours, newest first; at most a thousand."""
    return list_jobs(ledger, limit=RECENT_JOBS, since=ledger.now() - RECENT_SECS).jobs


def now_line(live: Mapping[State, int]) -> str:
    """Return `Now: 3 RUNNING, 1 WAITING`. `live`: unfinished jobs by state."""
    said = ", ".join(f"{number:,} {coloured(state)}" for state, number in live.items() if number)
    return f"Now: {said or 'nothing is running.'}"


def recent_lines(jobs: Sequence[Job]) -> Iterator[str]:
    """Yield what became of these jobs, and which one was the last to end without being delivered, with what to type."""
    ended = [job for job in jobs if job.is_terminal]
    if not jobs:
        return
    said = ", ".join(f"{number:,} {coloured(state)}" for state, number in Counter(job.state for job in ended).items())
    rows = counted(sum(job.collection.items for job in jobs), "item")
    cost = cost_usd(jobs)
    yield f"Last 24 hours: {counted(len(jobs), 'job')} ordered{f' ({said})' if said else ''}; {rows}, ${cost:.4f}."
    undelivered = [job for job in ended if job.state is not State.DELIVERED]
    failed = max(undelivered, key=lambda job: job.ended_at or 0, default=None)
    if failed is not None:
        reason = JobResult.of(failed).reason
        why = f": {reason.message}" if reason else "."
        yield f"Last not delivered: {escape(f'{failed.key} is {failed.state}{why}')}"
        key = escape(failed.key)
        yield f"  `actorline show {key}` tells the whole story, `actorline retry {key} --dry-run` what a retry does."


def pause_lines(paused: Collection[str]) -> list[str]:
    """Return that paid runs are paused, of which accounts, and what starts them again; nothing if none are."""
    if not paused:
        return []
    whose = "" if EVERY_ACCOUNT in paused else f" of {', '.join(sorted(paused))}"
    return [f"Paid runs{whose} are paused: jobs that need one wait until `actorline resume`."]


def schedule_lines(settings: Settings, pauses: Mapping[str, SchedulePause]) -> list[str]:
    """Return which schedule is due next, and when, and which ones are paused; nothing if there is none."""
    file = find_schedules(settings)
    if file is None:
        return []
    try:
        found = load_schedules(file)
    except InvalidSchedules:
        return ["Next: the schedules can't be read. `actorline schedules check` names every mistake."]
    enabled = {name: each for name, each in found.items() if each.enabled}
    paused = [name for name, each in enabled.items() if name in pauses and pauses[name].counts(each.on_guard)]
    now = datetime.now(UTC)
    coming = [
        (due, name) for name, each in enabled.items() if name not in paused and (due := each.rhythm.next_due(now))
    ]
    lines = []
    if coming:
        due, name = min(coming)
        left = duration_text(due.timestamp() - time.time())
        zone = found[name].zone
        lines = [f"Next: {escape(name)} in {left} ({due.astimezone(zone):%a %H:%M} {found[name].timezone})."]
    if paused:
        lines += [f"Paused: {escape(', '.join(paused))}. `actorline schedules list` says why, and what resumes it."]
    return lines
