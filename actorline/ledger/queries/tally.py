"""The tally: how many jobs are where now, and what came of all of them, in one read however many there are.

The scripts that change a job keep its hash `tally` as they go, each thing once, and no retention takes anything away.
Its fields: `queued`, `runs:{started|found}`, `waits:{code}`, `ended:{state}:{code or none}`, `ended_ms:{state}`
(milliseconds from the order, or the last `retry`, to the end), `guard-broken:{rule}`, `enough-rows:{rule}`,
`comparisons:{made|failed}`, `changes:{kind}`, `items`, `pages`, `bytes`, `auth_refused` (requests whose sender wasn't
let in), `saved:{joined|reused|stopped}:{account}` and `saved_nano_usd:{joined|reused}:{account}` (see `savings.py`),
and what the jobs cost in billionths of a dollar: `nano_usd`, and the most that this ever was, `most_nano_usd`. One is
no total: `waiting:{code}`, the jobs that wait for this now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger


@dataclass(frozen=True)
class Tally:
    """`overdue_s`: how long the job waits that has waited longest past its `due`. `paused`: accounts, or `*` for all.
    `queues`: messages by kind of queue (`control`, `fetch`, `doors`); `unseen_s`: seconds since a worker of the kind
    was last seen, for kinds of which one ever was; `sweep_age_s`: seconds since upkeep's last whole sweep, None if
    there was none yet.
    """

    jobs: Mapping[State, int]
    parked: int
    strays: int
    overdue_s: float
    paused: frozenset[str]
    queues: Mapping[str, int]
    unseen_s: Mapping[str, float]
    sweep_age_s: float | None
    counts: Mapping[str, int]

    def count(self, field: str) -> int:
        return self.counts.get(field, 0)

    def counted(self, kind: str) -> dict[tuple[str, ...], int]:
        """Return the counts of a kind by what follows it: `("FAILED", "auth")` of `ended`."""
        prefix = f"{kind}:"
        found = {field.removeprefix(prefix): count for field, count in self.counts.items() if field.startswith(prefix)}
        return {tuple(labels.split(":")): count for labels, count in found.items()}


def read_tally(ledger: Ledger) -> Tally:
    """Read the tally in one round trip, with the same work for ten jobs as for a million."""
    with ledger.redis.pipeline(transaction=False) as pipe:
        pipe.time()
        for state in State:
            pipe.zcard(ledger.name("state", state))
        pipe.hlen(ledger.name("parked"))
        pipe.hlen(ledger.name("strays"))
        pipe.zrange(ledger.name("due"), 0, 0, withscores=True)
        pipe.smembers(ledger.name("paused"))
        pipe.hgetall(ledger.name("queues"))
        pipe.hgetall(ledger.name("workers"))
        pipe.get(ledger.name("swept_at"))
        pipe.hgetall(ledger.name("tally"))
        (seconds, microseconds), *jobs, parked, strays, longest_due, paused, queues, workers, swept_at, counts = (
            pipe.execute()
        )
    now = seconds + microseconds / 1_000_000
    return Tally(
        jobs=dict(zip(State, jobs, strict=True)),
        parked=parked,
        strays=strays,
        overdue_s=max([0.0, *(now - due for _, due in longest_due)]),
        paused=frozenset(paused),
        queues=_numbers(queues),
        unseen_s={kind: max(now - float(at), 0.0) for kind, at in workers.items()},
        sweep_age_s=None if swept_at is None else max(now - float(swept_at), 0.0),
        counts=_numbers(counts),
    )


def note_lengths(ledger: Ledger, messages: Mapping[str, int]) -> None:
    """Remember how many messages each queue holds (`control`, `fetch`, `doors`): only workers look at the broker."""
    ledger.redis.hset(ledger.name("queues"), mapping=dict(messages))


def note_sweep(ledger: Ledger) -> None:
    """Remember that a sweep came to its end."""
    ledger.redis.set(ledger.name("swept_at"), ledger.now())


def _numbers(stored: Mapping[str, str]) -> dict[str, int]:
    return {name: int(value) for name, value in stored.items()}


def note_refused(ledger: Ledger, number: int) -> None:
    """Count requests whose sender wasn't let in."""
    ledger.redis.hincrby(ledger.name("tally"), "auth_refused", number)


def note_empty(ledger: Ledger, kinds: Sequence[str]) -> None:
    """Remember that these kinds of queue are empty now."""
    if kinds:
        ledger.redis.hset(ledger.name("empty"), mapping=dict.fromkeys(kinds, ledger.now()))


def empty_at(ledger: Ledger) -> dict[str, float]:
    """Return kind of queue -> unix seconds when it was last seen empty: a message sent before isn't there now."""
    return {kind: float(at) for kind, at in ledger.redis.hgetall(ledger.name("empty")).items()}
