"""`jobs`, `show`, `cancel`: list, show and stop jobs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import redis
import typer
from rich.markup import escape

from actorline.cli.attach import attach, unattended_jobs
from actorline.cli.ordering.follow_batch import (
    BATCHES_SEEN,
    follow_batch,
    load_if_batch,
    print_batch,
    running_batches,
    stop_batches,
)
from actorline.cli.selection import Selection
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import coloured, out, pace_text, print_jobs, print_json, print_result, say
from actorline.cli.terminal.progress import Interrupts, come_back, follow
from actorline.cli.terminal.room_text import room_lines
from actorline.cli.terminal.timeline import print_pages, print_timeline, print_waterfall
from actorline.errors import Code, Refused, Unavailable
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.job_key import shown_key
from actorline.jobs.job_result import JobResult
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import LIVE, State
from actorline.ledger.faults import describe_fault
from actorline.ledger.ledger import Ledger
from actorline.messages import wake_workers
from actorline.orders.cancel import cancel_jobs
from actorline.settings import Settings, load_settings
from actorline.story.page_bars import page_bars
from actorline.story.waterfall import Axis, bars, phases
from actorline.upkeep.unattended import were_seen

if TYPE_CHECKING:
    from actorline.batches.batch import Batch

PAGE_LINES = 8
NOTHING_STOPPED = "Nothing was stopped: runs go on, and may be billing. Apify's console can abort them meanwhile."


def jobs(wanted: Selection, limit: int, *, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False) as stack:
        results = [JobResult.of(job) for job in islice(wanted.jobs(stack.ledger), limit)]
        batches = [] if as_json or wanted.is_set else running_batches(stack.ledger)
        unattended = unattended_jobs(settings, stack.ledger)
        room = [] if as_json else list(room_lines(stack.ledger, settings.tokens))
    for batch in batches:
        print_batch(batch, as_json=False)
    if as_json:
        for result in results:
            print_json(result.model_dump(mode="json"))
    elif results:
        print_jobs(results)
    else:
        say("No such jobs.")
    for line in [*room, *([unattended] if unattended else [])]:
        say(line)


def show(key: str, *, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False) as stack:
        job = find_any(stack.ledger, key)
        unattended = None if job.is_terminal else unattended_jobs(settings, stack.ledger)
        timeline, now = stack.ledger.timeline.entries(job.key), stack.ledger.now()
        pages = stack.ledger.pages.all(job.key, job.attempt) if isinstance(job, Job) else {}
    if unattended and not as_json:
        say(unattended)
    entries = [{"at": entry.at, "event": entry.event, **entry.data} for entry in timeline]
    if not isinstance(job, Job):
        print_batch(job, as_json=as_json, extra={"timeline": entries})
        if not as_json:
            print_timeline(timeline)
        return
    result = JobResult.of(job)
    if as_json:
        print_json({**result.model_dump(mode="json"), "timeline": entries})
        return
    print_result(result, as_json=False)
    if not job.is_terminal and (pace := pace_text(job)):
        out.print(f"  {job.collection.pages:,} pages, {job.collection.byte_count:,} bytes{pace}")
    out.print()
    life = phases(job, timeline, now)
    print_waterfall(bars(life), with_attempts=job.attempt > 1 or job.retries > 0)
    if life:
        print_pages(page_bars(pages, Axis.of(life), most=PAGE_LINES))
    out.print()
    print_timeline(timeline)


def cancel(keys: list[str], wanted: Selection, *, every: bool, dry_run: bool, as_json: bool) -> None:
    """Stop what is named, or the unfinished jobs that are selected; `every`: all of them."""
    wanted.check(keys, every=every, hint=", or give --all")
    settings = load_settings()
    # what bills is stopped before anybody looks for workers
    with attach(settings, workers=False, undone=NOTHING_STOPPED) as stack:
        found = _to_stop(stack.ledger, keys, wanted, every=every)
        if not found:
            say(f"Nothing to stop: no {'' if every else 'such '}job is unfinished.")
            return
        if dry_run:
            for each in found:
                _print_selected(each, as_json=as_json)
            return
        with Interrupts():
            stop_batches(stack.ledger, settings, [each for each in found if not isinstance(each, Job)])
            _stop(stack.ledger, settings, [each for each in found if isinstance(each, Job)])
        attended = settings.redis_url is not None and were_seen(stack.ledger)
    live = [each for each in found if not each.is_terminal]
    stopped = _follow_to_the_end(live, settings, workers=not attended, as_json=as_json) if live else []
    for each in [*(each for each in found if each.is_terminal), *stopped]:
        if isinstance(each, Job):
            print_result(JobResult.of(each), as_json=as_json)
        else:
            print_batch(each, as_json=as_json)


def _follow_to_the_end(
    found: Sequence[Job | Batch], settings: Settings, *, workers: bool, as_json: bool
) -> Sequence[Job | Batch]:
    """Return what is being stopped as it ended. Raises Exit if an interrupt comes first.

    Workers that are brought up for it would also start what others have ordered: none are where all has ended.
    """
    with attach(settings, workers=workers, to_order=False, undone="The cancel is recorded.") as stack:
        keys = [each.key for each in found if isinstance(each, Job)]
        wake_workers(settings, keys)
        if not stack.brought_up and (unattended := unattended_jobs(settings, stack.ledger)):
            say(unattended)
        with Interrupts() as interrupts:
            jobs = follow(stack.ledger, keys, interrupts, shown=not as_json)
            batches = [
                follow_batch(stack.ledger, each, interrupts, as_json=as_json)
                for each in found
                if not isinstance(each, Job)
            ]
        followed: list[Job | Batch] = [*jobs, *batches]
        if left := [each.key for each in followed if not each.is_terminal]:
            say(f"Still being stopped: {', '.join(left)}. {come_back(left[0])}")
            raise typer.Exit(Exit.INTERRUPTED)
    return followed


def _stop(ledger: Ledger, settings: Settings, jobs: Sequence[Job]) -> None:
    """Cancel the jobs: first none starts any more, then what bills is aborted, also where Redis accepts no writes."""
    from actorline.cli.abort_runs import abort_runs  # the platform's client, which other commands don't need

    keys = [job.key for job in jobs]
    try:
        stopped = set(cancel_jobs(ledger, keys, sender=FROM_TERMINAL))
    except redis.ResponseError as error:
        abort_runs(settings, jobs)
        raise Unavailable(
            Code.REDIS_UNAVAILABLE,
            f"Redis can't be used: {describe_fault(error)}. The platform was asked to abort what was running, but the "
            f"cancel isn't recorded: repeat it when Redis works again. {come_back(None)}",
        ) from error
    for key in keys:
        if key not in stopped:
            say(f"{key} has already ended: nothing was stopped.")
    abort_runs(settings, [job for job in ledger.load_many(keys) if job and job.key in stopped])


def _to_stop(ledger: Ledger, keys: list[str], wanted: Selection, *, every: bool) -> Sequence[Job | Batch]:
    """Return what is to be stopped; with `every` also the batches that haven't ended."""
    found = find_selected(ledger, keys, wanted, among=[state for state in State if state in LIVE])
    return [*running_batches(ledger, BATCHES_SEEN), *found] if every else found


def find(ledger: Ledger, key: str) -> Job:
    job = ledger.load(JobKey(key))
    if job is None:
        raise _unknown(key)
    return job


def _unknown(key: str, effect: str = "") -> Refused:
    return Refused(Code.UNKNOWN_KEY, f"No job has the key {shown_key(key)!r}. {effect}`actorline jobs` lists the jobs.")


def find_any(ledger: Ledger, key: str) -> Job | Batch:
    """Return the job or the batch with the key."""
    found = _load_any(ledger, key)
    if found is None:
        raise _unknown(key)
    return found


def find_all(ledger: Ledger, keys: Sequence[str]) -> Sequence[Job | Batch]:
    """Return what the keys name, before a command changes any of it. Raises Refused if one is unknown."""
    found = []
    for key in keys:
        each = _load_any(ledger, key)
        if each is None:
            raise _unknown(key, "Nothing was done. ")
        found.append(each)
    return found


def _load_any(ledger: Ledger, key: str) -> Job | Batch | None:
    return ledger.load(JobKey(key)) or load_if_batch(ledger, JobKey(key))


def find_selected(ledger: Ledger, keys: list[str], wanted: Selection, among: Sequence[State]) -> Sequence[Job | Batch]:
    """Return what is named, or else the selected jobs in one of `among`. Raises Refused for a key that is unknown."""
    return find_all(ledger, keys) or list(wanted.jobs(ledger, among))


def _print_selected(each: Job | Batch, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": each.key, "state": each.state})
    else:
        out.print(f"{coloured(each.state)} {escape(each.key)}")
