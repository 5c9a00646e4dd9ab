"""Lists of jobs, the newest first, in pages that stay where they are while jobs are added and change."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, Self

from pydantic_core import from_json

from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger

JOBS_A_BLOCK: Final = 100  # jobs that are looked up at once
CURSOR_PATTERN: Final = r"^\d{1,15}(\.\d{1,9})?_"
JOBS_A_BLOCK_BYTES: Final = (
    4_000_000  # of documents: a hundred of the size that is accepted today, or one of an earlier version's
)
MOST_BYTES: Final = 16_000_000  # a page reads hardly more
JOBS_SEEN_MAX: Final = 5_000  # a page looks at no more jobs, however few fit: about a second


@dataclass(frozen=True, order=True)
class Cursor:
    """A job's place in the list: the list continues behind it, whatever was added in front."""

    queued_at: float
    key: JobKey

    def __str__(self) -> str:
        return f"{self.queued_at!r}_{self.key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a cursor. Raises Refused for anything that no list returned."""
        if not re.match(CURSOR_PATTERN, text, re.ASCII):
            message = "Unknown cursor. Use next_cursor of the previous list, or leave it out."
            raise Refused(Code.REQUEST_INVALID, message)
        queued_at, _, key = text.partition("_")
        return cls(float(queued_at), JobKey(key))


@dataclass(frozen=True)
class Page:
    """`next`: where the list continues; None: that was all. A page may hold fewer jobs than asked for, even none."""

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
    is_indexed: bool = False,
    since: float | None = None,
    matches: Callable[[Job], bool] = lambda _: True,
) -> Page:
    """List the jobs in one of `states` that have all `labels` and one of `accounts` (lower case; None: any).

    `is_indexed`: each account has an index of all its jobs, so that no other's are read. `since`: jobs that were
    queued at that unix second or later; `matches`: what else must hold of a job.
    """
    indexes = _indexes(ledger, states, accounts if is_indexed else None)
    found: list[Job] = []
    seen = seen_bytes = 0
    while seen < JOBS_SEEN_MAX and seen_bytes < MOST_BYTES:
        wanted = min(JOBS_A_BLOCK, max(limit - len(found), seen))
        entries = _next(ledger, indexes, after, since, wanted)
        block, size = _light_part(ledger, entries)
        likely = _likely(ledger, block, labels or {}, accounts)
        jobs = ledger.load_many([entry.key for entry in likely])
        for entry, job in zip(likely, jobs, strict=True):
            if job and _fits(job, states, labels or {}, accounts) and matches(job):
                found.append(job)
                if len(found) == limit:
                    return Page(found, entry)
        if len(entries) < wanted and len(block) == len(entries):
            return Page(found, None)
        after = block[-1]
        seen += len(block)
        seen_bytes += size
    return Page(found, after)


def _indexes(ledger: Ledger, states: Collection[State], accounts: Collection[str] | None) -> list[str]:
    if accounts is None:
        return [ledger.name("state", state) for state in states]
    return [ledger.name("state", state, account) for state in states for account in accounts]


def _light_part(ledger: Ledger, entries: list[Cursor]) -> tuple[list[Cursor], int]:
    """Return the first jobs whose documents are soon read, at least one, and the bytes of these."""
    total = 0
    for count, size in enumerate(ledger.document_bytes([entry.key for entry in entries])):
        if count and total + size > JOBS_A_BLOCK_BYTES:
            return entries[:count], total
        total += size
    return entries, total


def _likely(
    ledger: Ledger, entries: list[Cursor], labels: Mapping[str, str], accounts: Collection[str] | None
) -> list[Cursor]:
    """Return the jobs that have the labels and one of the accounts: to read a whole job takes ten times as long."""
    if not labels and accounts is None:
        return entries
    with ledger.redis.pipeline(transaction=False) as pipe:
        for entry in entries:
            pipe.hmget(ledger.name("job", entry.key), ["account", "document"])
        stored = pipe.execute()
    return [
        entry
        for entry, (account, document) in zip(entries, stored, strict=True)
        if (accounts is None or not account or account.lower() in accounts)
        and (not labels or _may_have(document, labels))
    ]


def _may_have(document: str | None, labels: Mapping[str, str]) -> bool:
    """Return whether a stored document has the labels, or can't be read, which loading its job reports."""
    try:
        return bool(labels.items() <= from_json(document or "{}").get("labels", {}).items())
    except (ValueError, AttributeError):
        return True


def _next(
    ledger: Ledger, indexes: Collection[str], after: Cursor | None, since: float | None, wanted: int
) -> list[Cursor]:
    """Return the next jobs of all indexes together: read at one moment, so that no job that moves is missed."""
    newest, oldest = "+inf" if after is None else after.queued_at, "-inf" if since is None else since
    with ledger.redis.pipeline(transaction=True) as pipe:
        for index in indexes:
            pipe.zrange(index, newest, oldest, byscore=True, desc=True, offset=0, num=wanted + 1, withscores=True)
        entries = {Cursor(queued_at, key) for reply in pipe.execute() for key, queued_at in reply}
    behind = [entry for entry in entries if after is None or entry < after]
    return sorted(behind, reverse=True)[:wanted]


def _fits(job: Job, states: Collection[State], labels: Mapping[str, str], accounts: Collection[str] | None) -> bool:
    return (
        job.state in states
        and labels.items() <= job.document.labels.items()
        and (accounts is None or job.document.account.lower() in accounts)
    )
