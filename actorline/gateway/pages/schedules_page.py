"""`/schedules`: what is due when, what came of it, and buttons to pause it, to resume it and to order it now."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from secrets import token_hex
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.batches.batch import Batch, load_batch_if_possible
from actorline.batches.submit import SubmittedBatch, submit_batch
from actorline.errors import Code, Refused
from actorline.gateway.auditing import note_change
from actorline.gateway.ordered import hide_conflict
from actorline.gateway.pages.jobs.job_changes import ORDERS
from actorline.gateway.pages.rendering import PageRoute, page, see_other
from actorline.gateway.pages.visit import PostedForm, Visit, Visitor
from actorline.identifiers import AccountName, JobKey
from actorline.jobs.job import Job
from actorline.jobs.rights import Scope
from actorline.ledger.admission.schedule_pauses import SchedulePause, pause_schedule, resume_schedule
from actorline.ledger.audit import record
from actorline.ledger.ledger import Ledger
from actorline.orders.submit import Submission
from actorline.schedules.book import Book
from actorline.schedules.decision import SchedulePosition
from actorline.schedules.rhythm import due_times, moment
from actorline.schedules.schedule import Schedule, due_key
from actorline.schedules.schedules_file import WHO_READS_IT, InvalidSchedules, find_schedules, load_schedules
from actorline.schedules.template import fill_document

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/schedules")

Name = Annotated[str, Path()]
NEXT_SHOWN: Final = 3
LAST_SHOWN: Final = 5
MINUTE_SECS: Final = 60
INVALID: Final = f"schedules.toml is invalid. {WHO_READS_IT}. Whoever covers all accounts is told what is wrong."
FARTHEST_BACK: Final = timedelta(days=35)  # from one due time to the one before


@dataclass(frozen=True)
class Line:
    """A schedule as the page shows it; `last`: its last jobs or batches, the newest first; `came_of`: of the last due
    time; `pause`: None while it isn't paused.
    """

    name: str
    schedule: Schedule
    position: SchedulePosition | None
    last: Sequence[Job | Batch]
    pause: SchedulePause | None

    @property
    def coming(self) -> list[datetime]:
        """Return the next due times, in the schedule's own time zone; if it is paused, those that it would have."""
        if not self.schedule.enabled:
            return []
        due = islice(due_times(self.schedule.rhythm, datetime.now(UTC)), NEXT_SHOWN)
        return [each.astimezone(self.schedule.zone) for each in due]

    @property
    def due_format(self) -> str:
        """Return how its due times are written: with seconds if it is due within a minute."""
        every = self.schedule.every_secs
        return "%a %d %b %H:%M:%S" if every is not None and every % MINUTE_SECS else "%a %d %b %H:%M"

    @property
    def target(self) -> str:
        document = ordered(self.schedule)
        return next(
            (str(document[name]) for name in ("actor", "actor_task", "run_id", "dataset_id") if name in document), ""
        )

    @property
    def came_of(self) -> tuple[datetime, str] | None:
        last = self.position.last if self.position else None
        return (moment(last[0]).astimezone(self.schedule.zone), last[1]) if last else None


@router.get("")
def schedules(visitor: Visitor) -> Response:
    """Show the schedules of the visitor's accounts."""
    try:
        found = _schedules(visitor)
    except InvalidSchedules as error:
        return page(
            "schedules.html",
            visitor,
            lines=[],
            beats=0,
            fault=str(error) if visitor.grant.rights.accounts is None else INVALID,
            has_file=True,
            may_order=False,
            may_pause=False,
        )
    reading = Book(visitor.context.ledger).read()
    positions = {name: entry.place for name, entry in reading.entries.items()}
    lines = [
        Line(
            name,
            each,
            positions.get(name),
            _last(visitor.context.ledger, name, each, positions.get(name)),
            _pause_of(each, reading.pauses.get(name)),
        )
        for name, each in found.items()
    ]
    has_file = find_schedules(visitor.context.settings) is not None
    return page(
        "schedules.html",
        visitor,
        lines=lines,
        beats=len(reading.beats),
        fault="",
        has_file=has_file,
        may_order=any(map(visitor.has, ORDERS)),
        may_pause=visitor.has(Scope.CANCEL_ANY),
    )


@router.post("/{name}/pause")
def pause(name: Name, posted: PostedForm) -> Response:
    """Order nothing for the schedule until it is resumed. Safe to repeat."""
    ledger = _changeable(posted.visit, name)
    pause_schedule(ledger, name)
    record(ledger, "schedule-paused", posted.visit.sender, schedule=name)
    return see_other("/schedules")


@router.post("/{name}/resume")
def resume(name: Name, posted: PostedForm) -> Response:
    """Order again from the next due time on. Safe to repeat."""
    ledger = _changeable(posted.visit, name)
    if resume_schedule(ledger, name):
        record(ledger, "schedule-resumed", posted.visit.sender, schedule=name)
    return see_other("/schedules")


def _changeable(visit: Visit, name: str) -> Ledger:
    """Return the ledger if the visitor may pause and resume the schedule, which orders for all. Raises Refused."""
    _schedule(visit, name)
    if not visit.has(Scope.CANCEL_ANY):
        raise Refused(Code.FORBIDDEN, f"The API key lacks the scope {Scope.CANCEL_ANY}. Nothing was changed.")
    return visit.context.ledger


@router.get("/{name}/run")
def ask_to_run(name: Name, visitor: Visitor) -> Response:
    """Say what ordering now starts, and what it may cost."""
    schedule = _schedule(visitor, name)
    batch = schedule.batch
    most = batch.get("budget_usd") if batch else ordered(schedule).get("options", {}).get("max_total_charge_usd")
    key = f"{name}-now-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{token_hex(2)}"
    return page("run_now.html", visitor, name=name, schedule=schedule, most=most, key=key, refusal="")


@router.post("/{name}/run")
async def run(name: Name, posted: PostedForm) -> Response:
    """Order the schedule's job or batch now, once for each confirmation: its key is in the form."""
    visit, key = posted.visit, JobKey(posted.form.first("key"))
    if not any(map(visit.has, ORDERS)):
        raise Refused(Code.FORBIDDEN, "The API key may not order. Nothing was started.")
    schedule = await run_in_threadpool(_schedule, visit, name)
    now = datetime.fromtimestamp(int(time.time()), UTC)
    document = {**fill_document(schedule.document or schedule.batch or {}, now, schedule.zone), "key": key}
    try:
        return await _order(visit, name, schedule, document, key)
    except Refused as refused:
        await run_in_threadpool(hide_conflict, refused, key, visit)
        raise


async def _order(visit: Visit, name: str, schedule: Schedule, document: dict[str, Any], key: JobKey) -> Response:
    if schedule.batch:
        batch = await run_in_threadpool(_order_batch, visit, document)
        note_change("order", visit.sender, batch_key=batch.key, created=batch.created, schedule=name)
        return see_other(f"/batches/{quote(batch.key)}")
    taken = await visit.context.order_intake.take(Submission(document, key, visit.sender), len(str(document)))
    note_change("order", visit.sender, job_key=taken.job.key, created=taken.created, schedule=name)
    return see_other(f"/jobs/{quote(taken.job.key)}")


def _order_batch(visit: Visit, document: dict[str, Any]) -> SubmittedBatch:
    context = visit.context
    context.order_intake.admit_one(visit.grant.holder)
    taken = submit_batch(document, ledger=context.ledger, settings=context.settings, trusted=False, sender=visit.sender)
    context.wake_ups.start(taken.key)
    return taken


def _schedules(visit: Visit) -> dict[str, Schedule]:
    """Return the schedules of the visitor's accounts. Raises InvalidSchedules."""
    file = find_schedules(visit.context.settings)
    found: Mapping[str, Schedule] = load_schedules(file) if file else {}
    return {name: each for name, each in found.items() if visit.grant.sees(_account_of(ordered(each)))}


def _schedule(visit: Visit, name: str) -> Schedule:
    found = _schedules(visit).get(name)
    if found is None:
        raise Refused(Code.UNKNOWN_KEY, f"There is no schedule {name[:100]!r}. Nothing was started.")
    return found


def ordered(schedule: Schedule) -> Mapping[str, Any]:
    """Return the document of the job, or that of which each of the batch's members is made."""
    batch = schedule.batch or {}
    return schedule.document or {**batch, **batch.get("template", {})}


def _account_of(document: Mapping[str, Any]) -> AccountName:
    return AccountName(str(document.get("account", "default")).lower())


def _last(ledger: Ledger, name: str, schedule: Schedule, position: SchedulePosition | None) -> list[Job | Batch]:
    """Return the jobs, or batches, of the latest due times that were ordered."""
    keys = list(islice(_due_keys(name, schedule, position), LAST_SHOWN))
    found: list[Job | Batch | None] = (
        [load_batch_if_possible(ledger, key) for key in keys] if schedule.batch else [*ledger.load_many(keys)]
    )
    return [each for each in found if each is not None]


def _due_keys(name: str, schedule: Schedule, position: SchedulePosition | None) -> Iterator[JobKey]:
    due = moment(position.started) if position and position.started is not None else None
    while due is not None:
        yield due_key(name, due)
        due = schedule.rhythm.latest_due(due - FARTHEST_BACK, due - timedelta(seconds=1))


def _pause_of(schedule: Schedule, pause: SchedulePause | None) -> SchedulePause | None:
    return pause if pause and pause.counts(schedule.on_guard) else None
