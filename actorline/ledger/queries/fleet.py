"""Who works on the jobs, for which accounts and batches: read in two round trips, however many jobs there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from actorline.jobs.states import LIVE, TERMINAL, State
from actorline.ledger.accounts import list_owners
from actorline.ledger.admission.account_room import AccountUse
from actorline.ledger.ledger import Ledger

BATCHES_READ: Final = 100
WORKER_KEPT_SECS: Final = 3600.0


@dataclass(frozen=True)
class Worker:
    """A worker that was seen within the hour: `name`, as Celery calls it; `unseen_s`: seconds since then."""

    name: str
    version: str
    kinds: tuple[str, ...]
    unseen_s: float


@dataclass(frozen=True)
class Fleet:
    """`oldest_s`: state -> seconds since its oldest job was ordered; `members`: of the first open batches, by state."""

    now: float
    workers: Sequence[Worker]
    account_jobs: Mapping[tuple[str, str], int]
    use: Mapping[str, AccountUse]
    oldest_s: Mapping[State, float]
    busy_s: Mapping[str, float]
    batches_open: int
    members: Mapping[str, int]


def read_fleet(ledger: Ledger) -> Fleet:
    """Read it all. Raises redis.RedisError."""
    name, live = ledger.name, sorted(LIVE)
    accounts = sorted({alias.lower() for alias in list_owners(ledger)})
    with ledger.redis.pipeline(transaction=False) as pipe:
        pipe.zrange(name("live_workers"), 0, -1, withscores=True)
        pipe.hgetall(name("account_use"))
        pipe.hgetall(name("empty"))
        pipe.zcard(name("batch_due"))
        pipe.zrange(name("batch_due"), 0, BATCHES_READ - 1)
        for state in live:
            pipe.zrange(name("state", state), 0, 0, withscores=True)
        for account in accounts:
            for state in live:
                pipe.zcard(name("state", state, account))
        workers, use, empty, batches_open, batches, *rest = pipe.execute()
    oldest, numbers = rest[: len(live)], rest[len(live) :]
    now = ledger.now()
    pairs = [(account, str(state)) for account in accounts for state in live]
    return Fleet(
        now=now,
        workers=[_worker(member, now - seen_at) for member, seen_at in workers],
        account_jobs=dict(zip(pairs, numbers, strict=True)),
        use={account: AccountUse.model_validate_json(text) for account, text in use.items()},
        oldest_s={state: max(now - first[0][1], 0) for state, first in zip(live, oldest, strict=True) if first},
        busy_s={kind: max(now - float(at), 0) for kind, at in empty.items()},
        batches_open=batches_open,
        members=_members(ledger, batches),
    )


def _members(ledger: Ledger, batches: Sequence[str]) -> dict[str, int]:
    """Return how many members of the batches are open, and how the others ended."""
    ends = sorted(TERMINAL)
    with ledger.redis.pipeline(transaction=False) as pipe:
        for key in batches:
            pipe.scard(ledger.name("batch_live", key))
            pipe.hmget(ledger.name("batch", key), [f"ended:{state}" for state in ends])
        replies = pipe.execute()
    members = dict.fromkeys(["open", *ends], 0)
    for live, ended in zip(replies[::2], replies[1::2], strict=True):
        members["open"] += live
        for state, number in zip(ends, ended, strict=True):
            members[state] += int(number or 0)
    return members


def note_worker(ledger: Ledger, name: str, version: str, kinds: Sequence[str]) -> None:
    """Remember that a worker is alive now, and its kinds of queue; forget workers that weren't within the hour."""
    now = ledger.now()
    with ledger.redis.pipeline(transaction=False) as pipe:
        pipe.hset(ledger.name("workers"), mapping=dict.fromkeys(kinds, now))
        pipe.zadd(ledger.name("live_workers"), {" ".join((name, version, *kinds)): now})
        pipe.zremrangebyscore(ledger.name("live_workers"), "-inf", now - WORKER_KEPT_SECS)
        pipe.execute()


def _worker(member: str, unseen_s: float) -> Worker:
    name, version, *kinds = member.split(" ")
    return Worker(name, version, tuple(kinds), max(unseen_s, 0.0))
