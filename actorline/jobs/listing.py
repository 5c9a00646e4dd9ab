"""Lists of jobs, the newest first, in pages that stay where they are while jobs are added and change."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Self

from actorline.errors import Code, Refused
from actorline.jobs.job import Job
from actorline.jobs.ledger import Ledger
from actorline.jobs.states import State

BLOCK: Final = 100  # jobs that are looked up at once
CURSOR_PATTERN: Final = r"^\d{1,15}(\.\d{1,9})?_"
MOST_SEEN: Final = 5_000  # a page looks at no more jobs, however few fit: about a second


@dataclass(frozen=True, order=True)
class Cursor:
    """A job's place in the list: the list goes on behind it, whatever was added in front."""

    queued_at: float
    key: str

    def __str__(self) -> str:
        return f"{self.queued_at!r}_{self.key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises Refused for what no list gave."""
        if not re.match(CURSOR_PATTERN, text, re.ASCII):
            message = "The cursor is none that a list gave. Take next_cursor of the page before, or leave it out."
            raise Refused(Code.REQUEST_INVALID, message)
        queued_at, _, key = text.partition("_")
        return cls(float(queued_at), key)


@dataclass(frozen=True)
class Page:
    """`next`: where the list goes on; None: that was all. A page may hold fewer jobs than asked for, even none."""

    jobs: list[Job]
    next: Cursor | None


def list_jobs(
    ledger: Ledger,
    *,
    limit: int,
    after: Cursor | None = None,
    states: Collection[State] = tuple(State),
    labels: Mapping[str, str] | None = None,
    accounts: Collection[str] | None = None,
) -> Page:
    """Jobs in one of `states` that have all `labels` and one of `accounts` (small letters; None: any)."""
    found: list[Job] = []
    seen = 0
    while seen < MOST_SEEN:
        block = _block(ledger, states, after)
        jobs = ledger.load_many([entry.key for entry in block])
        for entry, job in zip(block, jobs, strict=True):
            if job and _fits(job, states, labels or {}, accounts):
                found.append(job)
                if len(found) == limit:
                    return Page(found, entry)
        if len(block) < BLOCK:
            return Page(found, None)
        after = block[-1]
        seen += len(block)
    return Page(found, after)


def _block(ledger: Ledger, states: Collection[State], after: Cursor | None) -> list[Cursor]:
    """The next jobs in all states together: read at one moment, so that no job that moves is missed."""
    newest = "+inf" if after is None else after.queued_at
    with ledger.redis.pipeline(transaction=True) as pipe:
        for state in states:
            pipe.zrange(
                ledger.name("state", state), newest, "-inf", byscore=True, desc=True, offset=0, num=BLOCK + 1,
                withscores=True,
            )  # fmt: skip
        entries = [Cursor(queued_at, key) for answer in pipe.execute() for key, queued_at in answer]
    behind = [entry for entry in entries if after is None or entry < after]
    return sorted(behind, reverse=True)[:BLOCK]


def _fits(job: Job, states: Collection[State], labels: Mapping[str, str], accounts: Collection[str] | None) -> bool:
    return (
        job.state in states
        and labels.items() <= job.order.labels.items()
        and (accounts is None or job.order.account.lower() in accounts)
    )
