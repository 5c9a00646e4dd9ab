"""What the page of one batch shows, read from the ledger."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from actorline.batches.batch import FAILURES, Batch, BatchProgress
from actorline.batches.retry import plan_of_batch
from actorline.errors import Code, Refused
from actorline.gateway.pages.batches.batch_changes import may_cancel_batch, may_retry_batch
from actorline.gateway.pages.jobs.job_view import PER_ROWS, is_allowed
from actorline.gateway.pages.presentation.member_bar import Part, parts_of
from actorline.gateway.pages.visit import Visit
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.member_key import batch_key_of, member_key
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.listing import Cursor, list_jobs
from actorline.orders.retry import RetryPlan
from actorline.story.sentences import Sentence, sentences

MEMBERS_A_PAGE: Final = 50
FAILED_SHOWN: Final = 5


@dataclass(frozen=True)
class BatchView:
    """`now`: by Redis's clock; `members`: those made so far, by state; `parts`: these as one bar; `callers`: the Celery
    task ids that wait; `retry`: None if it can't be retried.
    """

    batch: Batch
    now: float
    members: Mapping[State, int]
    parts: Sequence[Part]
    progress: BatchProgress
    story: Sequence[Sentence]
    callers: Collection[str]
    retry: RetryPlan | None
    may_cancel: bool
    may_retry: bool

    @property
    def ended(self) -> int:
        return sum(self.batch.ended.values())

    @property
    def seconds(self) -> float:
        """Return how long the batch has taken since it was ordered or retried."""
        batch = self.batch
        return (batch.ended_at or self.now) - (batch.retried_at or batch.queued_at)

    @property
    def usd_per_1000(self) -> float | None:
        items, cost = self.batch.items, self.batch.cost_usd
        return cost / items * PER_ROWS if items and cost else None


@dataclass(frozen=True)
class Members:
    """A page of a batch's members; `next`: the cursor of the rest."""

    jobs: list[Job]
    next: str | None


def view_batch(visit: Visit, key: JobKey) -> BatchView:
    """Read the batch. Raises Refused (unknown-key), also for one that the visitor can't see."""
    ledger, batch = visit.context.ledger, visit.find_batch(key)
    live = Counter(state for state, _ in ledger.batches.live_states(key) if state not in TERMINAL)
    members = {state: count for state in State if (count := {**batch.ended, **live}.get(state, 0))}
    now = ledger.now()
    return BatchView(
        batch=batch,
        now=now,
        members=members,
        parts=parts_of(members, batch.inputs),
        progress=BatchProgress.of(batch, now),
        story=sentences(ledger.timeline.entries(key)),
        callers=list(ledger.callers.of(key)),
        retry=_retry_plan(batch),
        may_cancel=not batch.is_terminal and is_allowed(may_cancel_batch, visit, key),
        may_retry=is_allowed(may_retry_batch, visit, key),
    )


def failed_members(ledger: Ledger, batch: Batch) -> list[Job]:
    """Return the members that failed last."""
    return _members_in(ledger, batch, FAILURES, None, FAILED_SHOWN).jobs if _failed(batch) else []


def list_members(ledger: Ledger, batch: Batch, states: Sequence[State], cursor: str | None) -> Members:
    """Return a page of the members: in the order of their inputs, or those in `states`, the newest first.

    Raises Refused for a bad cursor.
    """
    if states:
        return _members_in(ledger, batch, states, Cursor.parse(cursor) if cursor else None, MEMBERS_A_PAGE)
    first = _number(cursor)
    numbers = range(first, min(first + MEMBERS_A_PAGE, batch.made))
    jobs = ledger.load_many([member_key(batch.key, number) for number in numbers])
    end = first + MEMBERS_A_PAGE
    return Members([job for job in jobs if job], str(end) if end < batch.made else None)


def _members_in(ledger: Ledger, batch: Batch, states: Sequence[State], after: Cursor | None, limit: int) -> Members:
    page = list_jobs(
        ledger,
        limit=limit,
        after=after,
        states=states,
        accounts=[batch.document.account.lower()],
        since=batch.queued_at,
        text=f"{batch.key}.",
    )
    own = [job for job in page.jobs if batch_key_of(JobKey(job.key)) == batch.key]
    return Members(own, str(page.next) if page.next else None)


def _failed(batch: Batch) -> int:
    return sum(batch.ended[state] for state in FAILURES)


def _number(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not re.fullmatch(r"\d{1,9}", cursor, re.ASCII):
        raise Refused(Code.REQUEST_INVALID, "Unknown cursor: follow the links of the page.")
    return int(cursor)


def _retry_plan(batch: Batch) -> RetryPlan | None:
    try:
        return plan_of_batch(batch)
    except Refused:
        return None
