"""Lists of jobs, the newest first, in pages that stay where they are while jobs are added and change."""

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, NamedTuple, Self

from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.actor_name import indexed_actor, is_of_actor
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.key_text import KeyText
from actorline.ledger.queries.sieve import Sieve
from actorline.ledger.registration import label_name

JOBS_A_BLOCK: Final = 100  # jobs that are looked up at once
KEYS_A_BLOCK: Final = 1_000  # of each index, sifted at once: some milliseconds, in which Redis does nothing else
BEFORE_ALL: Final = JobKey("~")  # in an order that falls: no key has a character as high
CURSOR_PATTERN: Final = r"^\d{1,15}(\.\d{1,9})?_"
JOBS_A_BLOCK_BYTES: Final = 4_000_000
"""Of documents: a hundred of the size that is accepted today, or one of an earlier version's."""
MOST_BYTES: Final = 16_000_000  # a page reads hardly more
SIFT_SECS: Final = 0.06  # a page is looked for hardly longer, however few fit
NAMED_MOST: Final = 500  # jobs with a text in their keys that are looked up; if there are more, it is a common one
SCANNED_AT_ONCE: Final = 5_000
GLOB: Final = re.compile(r"[][*?^\\-]")
LITERALLY: Final = r"\\\g<0>"
JOBS_SEEN_MAX: Final = 5_000  # a page without a filter looks at no more, however many can't be read


class Cursor(NamedTuple):
    """A place in the list, a job's or in front of all of a time: the list continues behind it, whatever was added in
    front.
    """

    queued_at: float
    key: JobKey

    def __str__(self) -> str:
        return f"{self.queued_at!r}_{self.key}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a cursor. Raises Refused for anything that no list returned."""
        if not re.match(CURSOR_PATTERN, text, re.ASCII):
            raise Refused(
                Code.REQUEST_INVALID, "Unknown cursor. Use next_cursor of the previous list, or leave it out."
            )
        queued_at, _, key = text.partition("_")
        return cls(float(queued_at), JobKey(key))

    def is_older_than(self, start: "Cursor | None") -> bool:
        """Return whether a page that began behind `start` may end here: not in the time in which it began."""
        return start is None or self.queued_at < start.queued_at

    def naming_only(self, shown: "Cursor | None") -> "Cursor":
        """Return from where to continue after all down to here was looked at, and `shown` was shown last. A job that
        isn't shown isn't named, as it may be another account's; those of its time are looked at again.
        """
        if shown and shown.queued_at == self.queued_at:
            return shown
        return Cursor(self.queued_at, BEFORE_ALL)


@dataclass(frozen=True)
class ListedJobs:
    """`next`: where the list continues; None: that was all. A list may hold fewer jobs than asked for, even none."""

    jobs: list[Job]
    next: Cursor | None


@dataclass(frozen=True)
class _Wanted:
    """Which jobs a list has: see `list_jobs`."""

    states: Collection[State]
    labels: Mapping[str, str]
    accounts: Collection[str] | None
    actor: str
    text: str

    def fits(self, job: Job) -> bool:
        return (
            job.state in self.states
            and self.labels.items() <= job.document.labels.items()
            and (self.accounts is None or job.document.account.lower() in self.accounts)
            and (not self.actor or is_of_actor(job, self.actor))
            and self.text in job.key
        )


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
    actor: str = "",
    text: str = "",
    keys: KeyText | None = None,
) -> ListedJobs:
    """List the jobs in one of `states` that have all `labels` and one of `accounts` (lower case; None: any).

    `is_indexed`: the indexes by account, Actor and label have all their jobs, so that no others are read. `since`: jobs
    that were queued at that unix second or later; `actor`: of this Actor or Actor task, by name or ID; `text`: with
    that in their keys, which are found in `keys` if a process has them.
    """
    wanted = _Wanted(states, labels or {}, accounts, actor, text)
    indexes, sieve = _smallest(ledger, _ways(ledger, wanted, is_indexed=is_indexed))
    found: list[Job] = []
    shown: Cursor | None = None
    seen: Cursor | None = None
    read_bytes = 0
    for block in _blocks(ledger, indexes, after, since, limit, sieve, keys):
        for entries, size in light_parts(ledger, block.entries):
            for entry, job in zip(entries, ledger.load_many([entry.key for entry in entries]), strict=True):
                if job and wanted.fits(job):
                    found.append(job)
                    shown = entry
                    if len(found) == limit:
                        return ListedJobs(found, shown)
            read_bytes += size
            if read_bytes >= MOST_BYTES and entries[-1].is_older_than(after):
                return ListedJobs(found, entries[-1].naming_only(shown))
        seen = block.next
    return ListedJobs(found, seen.naming_only(shown) if seen else None)


_Way = tuple[list[str], Sieve]
"""Indexes that together have all jobs that are wanted, and what of them is left out."""


def _ways(ledger: Ledger, wanted: _Wanted, *, is_indexed: bool) -> list[_Way]:
    name, states, accounts = ledger.name, wanted.states, wanted.accounts
    sieve = Sieve(wanted.labels, accounts, wanted.actor, wanted.text)
    ways = [([name("state", state) for state in states], sieve)]
    if is_indexed and accounts is not None:
        of_accounts = [name("state", state, account) for state in states for account in accounts]
        ways.append((of_accounts, replace(sieve, accounts=None)))
    in_states = replace(sieve, states=states if len(set(states)) < len(State) else None)
    if is_indexed and (actor := indexed_actor(wanted.actor)):
        ways.append(([name("actor", actor)], replace(in_states, actor="")))
    for label in wanted.labels.items() if is_indexed else ():
        others = dict(wanted.labels.items() - {label})
        ways.append(([label_name(label, name)], replace(in_states, labels=others)))
    return ways


def _smallest(ledger: Ledger, ways: Sequence[_Way]) -> _Way:
    if len(ways) == 1:
        return ways[0]
    with ledger.redis.pipeline(transaction=False) as pipe:
        for index in (index for indexes, _ in ways for index in indexes):
            pipe.zcard(index)
        sizes = iter(pipe.execute())
    return min(ways, key=lambda way: sum(islice(sizes, len(way[0]))))


def light_parts(ledger: Ledger, entries: Sequence[Cursor]) -> Iterator[tuple[list[Cursor], int]]:
    """Yield the jobs in parts whose documents are soon read, each with the bytes of these."""
    for start in range(0, len(entries), JOBS_A_BLOCK):
        block = entries[start : start + JOBS_A_BLOCK]
        part: list[Cursor] = []
        total = 0
        for entry, size in zip(block, ledger.document_bytes([entry.key for entry in block]), strict=True):
            if part and total + size > JOBS_A_BLOCK_BYTES:
                yield part, total
                part, total = [], 0
            part.append(entry)
            total += size
        yield part, total


@dataclass(frozen=True)
class _Block:
    """`seen`: how many entries were looked at; `next`: where they continue, None: that was all."""

    entries: list[Cursor]
    seen: int
    next: Cursor | None


def _blocks(
    ledger: Ledger,
    indexes: list[str],
    after: Cursor | None,
    since: float | None,
    limit: int,
    sieve: Sieve,
    keys: KeyText | None,
) -> Iterator[_Block]:
    """Yield blocks of entries that may fit, as long as a page is looked for."""
    if sieve.text and (named := _named(ledger, indexes, sieve.text, keys)) is not None:
        behind = [each for each in named if (after is None or each < after) and each.queued_at >= (since or 0)]
        yield _Block(sorted(behind, reverse=True), len(named), None)
        return
    start, until, seen, is_stuck = after, time.monotonic() + SIFT_SECS, 0, False
    while True:
        number = max(limit, seen)
        if not is_stuck:
            number = min(number, KEYS_A_BLOCK if sieve.is_set else JOBS_A_BLOCK)
        block = _next(ledger, indexes, after, since, number, sieve)
        yield block
        is_stuck = block.next == after  # more jobs are of one time than were read
        after, seen = block.next, seen + block.seen
        is_enough = time.monotonic() >= until if sieve.is_set else seen >= JOBS_SEEN_MAX
        if after is None or (is_enough and after.is_older_than(start)):
            return


def _named(ledger: Ledger, indexes: list[str], text: str, keys: KeyText | None) -> set[Cursor] | None:
    """Return the jobs with the text in their keys; None if there are many: then they are soon met, newest first."""
    if keys and (known := keys.find(text, most=NAMED_MOST)) is not None:
        return {Cursor(queued_at, key) for key, queued_at in known.items()}
    pattern = f"*{GLOB.sub(LITERALLY, text)}*"
    found: set[Cursor] = set()
    for index in indexes:
        for key, queued_at in ledger.redis.zscan_iter(index, match=pattern, count=SCANNED_AT_ONCE):
            found.add(Cursor(queued_at, key))
            if len(found) > NAMED_MOST:
                return None
    return found


def _next(
    ledger: Ledger, indexes: list[str], after: Cursor | None, since: float | None, number: int, sieve: Sieve
) -> _Block:
    """Return those of at least the next `number` jobs of all indexes together that may fit.

    They are read at one moment, so that no job that moves is missed.
    """
    newest, oldest = "+inf" if after is None else repr(after.queued_at), "-inf" if since is None else repr(since)
    args = [newest, oldest, number + 1, ledger.name("job", ""), *sieve.arguments()]
    seen, last, likely = ledger.run_script("newest", indexes, args)
    known_to = max(_cursors(last), default=None)
    if known_to and after:
        known_to = min(known_to, after)  # of the time of `after` only earlier ones were read
    behind = [
        each for each in _cursors(likely) if (after is None or each < after) and (known_to is None or each >= known_to)
    ]
    return _Block(sorted(set(behind), reverse=True), seen, known_to)


def _cursors(pairs: list[str]) -> list[Cursor]:
    return [Cursor(float(score), JobKey(key)) for key, score in zip(pairs[::2], pairs[1::2], strict=True)]
