"""`/schedules`: what is due when, what came of it, and a button to order it now."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from secrets import token_hex
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from actorline.errors import Code, Refused
from actorline.gateway.auditing import note_change
from actorline.gateway.pages.job_changes import ORDERS
from actorline.gateway.pages.rendering import PageRoute, page, see_other
from actorline.gateway.pages.visit import PostedForm, Visit, Visitor
from actorline.identifiers import AccountName, JobKey
from actorline.jobs.job import Job
from actorline.orders.submit import Submission
from actorline.schedules.book import Book
from actorline.schedules.decision import SchedulePosition
from actorline.schedules.rhythm import due_times, moment
from actorline.schedules.schedule import Schedule, due_key
from actorline.schedules.schedules_file import InvalidSchedules, find_schedules, load_schedules
from actorline.schedules.template import fill_document

router = APIRouter(route_class=PageRoute, include_in_schema=False, prefix="/schedules")

Name = Annotated[str, Path()]
NEXT_SHOWN: Final = 3


@dataclass(frozen=True)
class Line:
    """A schedule as the page shows it; `last`: its last job; `came_of`: of the last due time."""

    name: str
    schedule: Schedule
    position: SchedulePosition | None
    last: Job | None

    @property
    def coming(self) -> list[datetime]:
        """Return the next due times, in the schedule's own time zone."""
        if not self.schedule.enabled:
            return []
        due = islice(due_times(self.schedule.rhythm, datetime.now(UTC)), NEXT_SHOWN)
        return [each.astimezone(self.schedule.zone) for each in due]

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
        return page("schedules.html", visitor, lines=[], beats=0, fault=str(error), has_file=True, may_order=False)
    reading = Book(visitor.context.ledger).read()
    positions = {name: entry.place for name, entry in reading.entries.items()}
    keys = {name: due_key(name, moment(at)) for name in found if (at := _started(positions.get(name))) is not None}
    jobs = dict(zip(keys, visitor.context.ledger.load_many(list(keys.values())), strict=True))
    lines = [Line(name, each, positions.get(name), jobs.get(name)) for name, each in found.items()]
    has_file = find_schedules(visitor.context.settings) is not None
    return page(
        "schedules.html",
        visitor,
        lines=lines,
        beats=len(reading.beats),
        fault="",
        has_file=has_file,
        may_order=any(map(visitor.has, ORDERS)),
    )


@router.get("/{name}/run")
def ask_to_run(name: Name, visitor: Visitor) -> Response:
    """Say what ordering now starts, and what it may cost."""
    schedule = _schedule(visitor, name)
    most = _single(schedule).get("options", {}).get("max_total_charge_usd")
    key = f"{name}-now-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{token_hex(2)}"
    return page("run_now.html", visitor, name=name, schedule=schedule, most=most, key=key, refusal="")


@router.post("/{name}/run")
async def run(name: Name, posted: PostedForm) -> Response:
    """Order the schedule's document now, once for each confirmation: its key is in the form."""
    visit, key = posted.visit, JobKey(posted.form.first("key"))
    if not any(map(visit.has, ORDERS)):
        raise Refused(Code.FORBIDDEN, "The API key may not order. Nothing was started.")
    schedule = await run_in_threadpool(_schedule, visit, name)
    document = {
        **fill_document(_single(schedule), datetime.fromtimestamp(int(time.time()), UTC), schedule.zone),
        "key": key,
    }
    taken = await visit.context.order_intake.take(Submission(document, key, visit.sender), len(str(document)))
    note_change("order", visit.sender, job_key=taken.job.key, created=taken.created, schedule=name)
    return see_other(f"/jobs/{quote(taken.job.key)}")


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


def _single(schedule: Schedule) -> Mapping[str, Any]:
    """Return the document of a schedule that orders single jobs. Raises Refused for one of batches."""
    if schedule.document is None:
        message = "This schedule orders batches, which can't be ordered from a page. Nothing was started."
        raise Refused(Code.REQUEST_INVALID, message)
    return schedule.document


def _account_of(document: Mapping[str, Any]) -> AccountName:
    return AccountName(str(document.get("account", "default")).lower())


def _started(position: SchedulePosition | None) -> int | None:
    return position.started if position else None
