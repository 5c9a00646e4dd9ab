"""Calls the jobs that wait for a budget as soon as it has room for them: a run cost less, ended, or the day has turned.

In the line's order, but one that needs more than there is doesn't hold up those behind it that need less.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from actorline.budgets.reservation import Count, Entry, Reservation, without_room
from actorline.errors import Code
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.job_reservation import reservation_of
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.settings import Settings

LOOKED_AT: Final = 50  # of the first in line: what a look costs is bounded, however many wait


def call_for_room(ledger: Ledger, settings: Settings, budget: str) -> list[JobKey]:
    """Make those of a budget's line due for which there is room now, and return their keys."""
    waiting = ledger.budgets.first_in_line(budget, LOOKED_AT)
    jobs, now = ledger.load_many(waiting), ledger.now()
    wants = [
        (key, reservation_of(job, settings.budgets, now) if job and waits(job) else None)
        for key, job in zip(waiting, jobs, strict=True)
    ]
    entries = list({_place(entry): entry for _, wanted in wants if wanted for entry in wanted.entries}.values())
    counts = dict(zip(map(_place, entries), ledger.budgets.read(entries), strict=True))
    called = list(fitting(wants, counts))
    ledger.budgets.call(budget, called)
    return called


def fitting(
    wants: Sequence[tuple[JobKey, Reservation | None]], counts: dict[tuple[str, str], Count]
) -> Iterator[JobKey]:
    """Yield the keys of those that may start together, and of those that wait no more. `counts`: of each period."""
    for key, wanted in wants:
        places = [_place(entry) for entry in wanted.entries] if wanted else []
        if wanted and without_room(wanted, [counts[place] for place in places]):
            continue
        for place in places:
            counts[place] = replace(counts[place], reserved=counts[place].reserved + (wanted.nano_usd if wanted else 0))
        yield key


def waits(job: Job) -> bool:
    return job.state is State.WAITING and job.waiting_for == Code.BUDGET


def _place(entry: Entry) -> tuple[str, str]:
    return entry.budget, entry.period
