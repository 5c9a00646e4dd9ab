"""`guard suggest`: the contract that past deliveries keep."""

import json
from collections.abc import Sequence
from itertools import islice
from typing import Final

from actorline.cli.attach import attach
from actorline.cli.jobs import find_any
from actorline.cli.terminal.output import print_json, say
from actorline.delivery.row_survey import RowSurvey
from actorline.delivery.sink import SinkError
from actorline.errors import Code, Refused
from actorline.jobs.delivered import open_delivered
from actorline.jobs.document.guard import Guard
from actorline.jobs.document.guard_rules import READ_FORMATS
from actorline.jobs.document.learned_guard import learn_guard
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.series import delivered_by_schedule
from actorline.settings import load_settings
from actorline.story.number_words import counted

LATEST_JOBS: Final = 10
AFTER_ITEMS: Final[int] = Guard.model_fields["after_items"].default


def suggest(keys: Sequence[str], schedule: str | None, *, as_json: bool) -> None:
    if bool(keys) is (schedule is not None):
        raise Refused(Code.REQUEST_INVALID, "Name the jobs to learn from, or give --schedule NAME.")
    with attach(load_settings(), workers=False) as stack:
        jobs = [_job(stack.ledger, key) for key in keys] or _of_schedule(stack.ledger, schedule or "")
    for job in jobs:
        _check(job)
    surveys = [_survey(job) for job in jobs]
    learned = learn_guard(surveys, [cost for job in jobs if (cost := _usd_per_1000(job))])
    if learned is None:
        raise Refused(Code.REQUEST_INVALID, "The deliveries have no rows, so there is nothing to learn from them.")
    found = learned.model_dump(mode="json", exclude_unset=True)
    if as_json:
        print_json(found)
    else:
        print(json.dumps(found, indent=2, ensure_ascii=False))  # noqa: T201 - to be piped into a file
        rows = counted(sum(survey.rows for survey in surveys), "row")
        say(f"Learned from {counted(len(jobs), 'job')} with {rows}. Put it into the document as `guard`.")


def _job(ledger: Ledger, key: str) -> Job:
    found = find_any(ledger, key)
    if not isinstance(found, Job):
        raise Refused(Code.REQUEST_INVALID, f"{key} is a batch: name its members, such as {key}.000000.")
    return found


def _of_schedule(ledger: Ledger, name: str) -> list[Job]:
    found = list(islice(delivered_by_schedule(ledger, name), LATEST_JOBS))
    if not found:
        raise Refused(Code.UNKNOWN_KEY, f"No job of the schedule {name[:100]!r} is DELIVERED.")
    return found


def _check(job: Job) -> None:
    collect = job.document.collect
    if job.state is not State.DELIVERED:
        raise Refused(
            Code.REQUEST_INVALID, f"{job.key} is {job.state}: only a DELIVERED job shows what all rows are like."
        )
    if not collect.dataset or collect.format not in READ_FORMATS:
        raise Refused(
            Code.REQUEST_INVALID,
            f"{job.key} has no rows that a guard can read: its format must be {', '.join(READ_FORMATS)}. Name "
            "a job that was ordered in one of them.",
        )


def _survey(job: Job) -> RowSurvey:
    try:
        return RowSurvey.of(open_delivered(job).items(), after_items=AFTER_ITEMS)
    except SinkError as error:
        raise Refused(Code.SINK_FAILED, str(error)) from error


def _usd_per_1000(job: Job) -> float | None:
    cost, rows = job.total_cost_usd, job.collection.items
    return 1_000 * cost / rows if cost and rows and job.document.starts_run else None
