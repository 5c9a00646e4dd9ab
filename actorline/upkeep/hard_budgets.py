"""Hard budgets: what is spent has reached the limit, so runs that count there are aborted, with a stop wish."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final

from actorline.budgets.limits import Budgets
from actorline.identifiers import JobKey
from actorline.jobs.job import Job, StopWish
from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.budget_status import read_budgets

Place = tuple[str, str]
"""A budget, and the name of its day or month."""

JOBS_A_BLOCK: Final = 100


def stop_spent_out(ledger: Ledger, budgets: Budgets) -> list[JobKey]:
    """Record that running jobs of hard budgets that are spent are no longer wanted, and return their keys."""
    if not budgets.has_hard:
        return []
    found = read_budgets(ledger, budgets)
    spent = {(each.budget, each.name) for each in found if each.hard and each.spent_usd >= each.limit_usd}
    return [job.key for job in _running_in(ledger, spent) if _stop(ledger, job, spent)] if spent else []


def _running_in(ledger: Ledger, spent: AbstractSet[Place]) -> Iterator[Job]:
    """Yield the jobs that count there; others, which may be thousands, aren't read as a whole each second."""
    keys = (key for key, _ in list(ledger.list_keys(State.RUNNING)))
    budgets = {budget for budget, _ in spent}
    while block := list(islice(keys, JOBS_A_BLOCK)):
        for job in ledger.load_many(ledger.budgets.of_these(block, budgets)):
            if job and not job.stop_wish and _places(job) & spent:
                yield job


def _places(job: Job) -> set[Place]:
    return {(entry.budget, entry.period) for entry in job.reservation.entries} if job.reservation else set()


def _stop(ledger: Ledger, job: Job, spent: AbstractSet[Place]) -> bool:
    budget, period = min(_places(job) & spent)
    stopped = Change(
        due_in_s=0,
        guards={"stop_wish": None, "reason": None},
        event=TimelineEvent.CANCEL_ASKED,
        data={"door": "upkeep", "budget": budget, "message": f"its hard limit of {period} is spent"},
        fields={"stop_wish": StopWish.BUDGET, "is_planned": True},
    )
    return ledger.change(job.key, stopped, states={State.RUNNING}, epoch=None) is not None
