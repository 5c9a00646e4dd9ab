"""Batches in the ledger: a hash each, whose counters the scripts that change its members move.

What a batch is says `batches/batch.py`; here it is a flat hash.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from actorline.budgets.reservation import ENDLESS, batch_id
from actorline.identifiers import AccountName, JobKey
from actorline.jobs.job_key import is_key
from actorline.jobs.member_key import batch_key_of
from actorline.jobs.sender import Sender
from actorline.jobs.states import TERMINAL, State
from actorline.jobs.timeline_event import TimelineEvent, level_of
from actorline.ledger.callers import caller_arguments
from actorline.ledger.store import Store, call_token, flat
from actorline.ledger.timeline import ENTRIES_MAX
from actorline.logs import Logger

log = Logger(__name__)

MESSAGE_SECS: Final = 20  # longer than the visibility timeout: by then a killed worker's message is back
OPEN_READ: Final = 1_000  # of a ledger with more, those of some accounts are counted up to here
LISTED: Final = "listed"
SPLIT: Final = "split"


class NoPlaceInBatch(Exception):
    """A member's batch is to stop, has ended, or has as many live members as it may; nothing was changed."""


@dataclass(frozen=True)
class NewBatch:
    """An order of a batch that was checked. `document`: without its inputs; `listed`: these, as JSON lines; `split`:
    what they are cut from instead, as JSON; `caller`: a Celery task's `id` and continuation.
    """

    key: JobKey
    document: str
    document_hash: str
    account: str
    sink: str
    listed: bytes | None = None
    split: bytes | None = None
    caller: Mapping[str, Any] | None = None
    sender: Sender | None = None


@dataclass(frozen=True, kw_only=True)
class BatchChange:
    """`to`: the state that the batch gets; `due_in_s`: seconds until upkeep looks after it, "none": never; `guards`:
    what its hash must hold now, or nothing is changed.
    """

    to: State | None = None
    due_in_s: float | str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    guards: Mapping[str, Any] = field(default_factory=dict)
    event: TimelineEvent | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class Batches:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._redis = store.redis

    def register(self, batch: NewBatch) -> tuple[str, str, State]:
        """Create the batch or join the one that exists, and return when that is on Redis's disk: `created`, `joined`,
        `conflict` or `reserved`, the hash of its document, and its state. Raises NotDurable.
        """
        name, key, caller = self._store.name, batch.key, batch.caller
        fields = {
            "document": batch.document,
            "account": batch.account,
            "sink": batch.sink,
            **({} if batch.listed is None else {LISTED: batch.listed}),
            **({} if batch.split is None else {SPLIT: batch.split}),
            **({"ordered_by": batch.sender.holder} if batch.sender and batch.sender.holder else {}),
        }
        keys = [name("batch", key), name("events", key), name("callers", key), name("ids"), name("job_ids", key),
                name("batch_due"), name("batches"), name("job", key), name("batch", batch_key_of(key))]  # fmt: skip
        args = [key, batch.document_hash, call_token(), ENTRIES_MAX,
                *caller_arguments(caller),
                json.dumps(batch.sender.facts() if batch.sender else {}), *flat(fields)]  # fmt: skip
        outcome, found, state = self._store.run_on_disk("register_batch", keys, args)
        if outcome == "created":
            log.info(TimelineEvent.QUEUED, batch_key=key)
        return outcome, found, State(state) if state in set(State) else State.QUEUED

    def read(self, key: JobKey, fields: Sequence[str]) -> tuple[dict[str, str], int] | None:
        """Return the batch's fields and how many of its members are live, both of one moment; None: unknown, also for
        what can't be a key.
        """
        if not is_key(key):
            return None
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.hmget(self._store.name("batch", key), fields)
            pipe.scard(self._store.name("batch_live", key))
            values, live = pipe.execute()
        found = {name: value for name, value in zip(fields, values, strict=True) if value is not None}
        return (found, int(live)) if "state" in found else None

    def change(self, key: JobKey, change: BatchChange, *, states: Iterable[State]) -> bool:
        """Change the batch, on Redis's disk, if it is in one of `states` and has every guard's value."""
        name = self._store.name
        args = [key, call_token(), ",".join(states), change.to or "", change.due_in_s,
                change.event or "", json.dumps(change.data), ENTRIES_MAX,
                len(change.guards), *flat(change.guards), *flat(change.fields)]  # fmt: skip
        keys = [name("batch", key), name("events", key), name("batch_due")]
        won = bool(self._store.run_on_disk("change_batch", keys, args, or_warn=True))
        if won and change.event:
            log.log(level_of(change.event, change.data), change.event, batch_key=key, **change.data)
        return won

    def exists(self, key: JobKey) -> bool:
        return is_key(key) and bool(self._redis.exists(self._store.name("batch", key)))

    def account(self, key: JobKey) -> AccountName | None:
        found = self._redis.hget(self._store.name("batch", key), "account") if is_key(key) else None
        return cast("AccountName | None", found)

    def has_field(self, key: JobKey, name: str) -> bool:
        """Return whether the batch's hash holds the field."""
        return bool(self._redis.hexists(self._store.name("batch", key), name))

    def taken(self, keys: Sequence[JobKey]) -> list[JobKey]:
        """Return those of the keys that a job or a batch has."""
        with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.exists(self._store.name("job", key), self._store.name("batch", key))
            return [key for key, found in zip(keys, pipe.execute(), strict=True) if found]

    def listed(self, key: JobKey) -> bytes | None:
        """Return the inputs that came with the order, as JSON lines; None: it has no such list, or they are stored."""
        return self._bytes(key, LISTED)

    def split(self, key: JobKey) -> bytes | None:
        """Return what the inputs are cut from, as JSON; None: it isn't such an order, or they are stored."""
        return self._bytes(key, SPLIT)

    def _bytes(self, key: JobKey, field_name: str) -> bytes | None:
        text = cast("str | None", self._redis.hget(self._store.name("batch", key), field_name))
        return None if text is None else text.encode()

    def forget_inputs(self, key: JobKey) -> None:
        """Drop the inputs that came with the order: they are in the sink."""
        self._redis.hdel(self._store.name("batch", key), LISTED, SPLIT)

    def live_members(self, key: JobKey) -> list[JobKey]:
        """Return the keys of the members that haven't ended, in order."""
        return sorted(self._redis.smembers(self._store.name("batch_live", key)))

    def live_states(self, key: JobKey, most: int | None = None) -> list[tuple[State, str]]:
        """Return state and `waiting_for` of each member that hasn't ended, or of at most so many."""
        live = self._store.name("batch_live", key)
        members = self._redis.smembers(live) if most is None else self._redis.srandmember(live, most)
        with self._redis.pipeline(transaction=False) as pipe:
            for member in members:
                pipe.hmget(self._store.name("job", member), "state", "waiting_for")
            return [(State(state), code or "") for state, code in pipe.execute() if state in set(State)]

    def make_due(self, key: JobKey) -> None:
        """Let upkeep look after the batch now."""
        self._redis.zadd(self._store.name("batch_due"), {key: self._store.now()})

    def claim_message(self, key: JobKey) -> bool:
        """Return whether a message that continues the batch is to be sent: there is none that hasn't been taken yet."""
        return bool(self._redis.set(self._store.name("batch_sent", key), 1, nx=True, ex=MESSAGE_SECS))

    def take_message(self, key: JobKey) -> None:
        """Note that the message is here: what happens from now on needs another one."""
        self._redis.delete(self._store.name("batch_sent", key))

    def queued_before(self, before: float, limit: int, *, offset: int = 0) -> list[JobKey]:
        """Return keys of batches that were queued before a time, the oldest first, from the `offset`th on."""
        name = self._store.name("batches")
        return cast("list[JobKey]", self._redis.zrangebyscore(name, "-inf", before, start=offset, num=limit))

    def ended_before(self, keys: Sequence[JobKey], before: float) -> list[JobKey]:
        """Return those of the batches that ended before a time, or that are gone."""
        with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hmget(self._store.name("batch", key), "state", "ended_at")
            found = zip(keys, pipe.execute(), strict=True)
        return [
            key
            for key, (state, ended_at) in found
            if state is None or (state in TERMINAL and float(ended_at or before) < before)
        ]

    def newest(self, limit: int) -> list[JobKey]:
        """Return the keys of the newest batches, the newest first."""
        return cast("list[JobKey]", self._redis.zrange(self._store.name("batches"), 0, limit - 1, desc=True))

    def newest_in(self, states: Iterable[State], limit: int) -> list[JobKey]:
        """Return those of the newest batches that are in one of the states, the newest first."""
        keys = self.newest(limit)
        with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(self._store.name("batch", key), "state")
            found = pipe.execute()
        wanted = set(states)
        return [key for key, state in zip(keys, found, strict=True) if state in wanted]

    def count_open(self, accounts: Collection[str] | None) -> int:
        """Return how many batches haven't ended; `accounts`: of these (lower case), None: of all."""
        if accounts is None:
            return cast("int", self._redis.zcard(self._store.name("batch_due")))
        with self._redis.pipeline(transaction=False) as pipe:
            for key in self._redis.zrange(self._store.name("batch_due"), 0, OPEN_READ - 1):
                pipe.hget(self._store.name("batch", key), "account")
            return sum(1 for account in pipe.execute() if account and account.lower() in accounts)

    def queued_until(self, newest: float | None, limit: int) -> list[tuple[JobKey, float]]:
        """Return key and queued_at of batches, the newest first; `newest`: queued then or before, None: any."""
        name, highest = self._store.name("batches"), "+inf" if newest is None else newest
        found = self._redis.zrange(name, highest, "-inf", byscore=True, desc=True, offset=0, num=limit, withscores=True)
        return cast("list[tuple[JobKey, float]]", found)

    def forget(self, key: JobKey) -> None:
        """Remove an ended batch, with what was spent of its budget; its members are forgotten as other jobs are."""
        name = self._store.name
        ids = self._redis.smembers(name("job_ids", key))
        with self._redis.pipeline(transaction=True) as pipe:
            if ids:
                pipe.hdel(name("ids"), *ids)
            pipe.zrem(name("batches"), key)
            pipe.zrem(name("batch_due"), key)
            pipe.delete(*(name(kind, key) for kind in ("batch", "batch_live", "events", "callers", "job_ids")))
            pipe.delete(name("budget", batch_id(key), ENDLESS))
            pipe.execute()
