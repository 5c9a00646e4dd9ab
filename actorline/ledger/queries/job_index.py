"""Indexes that lists are read from, so that a list of the jobs of one account, Actor or label looks at no others: each
account's jobs by state, `state:{s}:{account}`, those that were ordered by an Actor's name, `actor:{name}`, and those
with a label, `label:{name}={value}`.

The ledger's scripts keep them. What an earlier version registered or moved isn't in them: a gateway looks through the
jobs when it starts, all of them once a day and otherwise those since the last time, and lists as that version did until
it has. An entry may be out of date, as a job is looked at before it is listed; none may be missing.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Final

from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.listing import Cursor, light_parts
from actorline.ledger.registration import names_of_indexes

JOBS_A_BLOCK: Final = 500
REMEMBERED_SECS: Final = 86_400  # a worker of an earlier version may come back


class JobIndex:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._completed = ledger.name("indexed_at")
        self.is_complete = False

    def was_completed(self) -> bool:
        """Return whether somebody looked through all jobs within a day."""
        return bool(self._ledger.redis.exists(self._completed))

    def complete(self, *, is_stopping: Callable[[], bool]) -> None:
        """Enter what is missing. Raises redis.RedisError; safe to repeat."""
        redis, now = self._ledger.redis, self._ledger.now()
        since = redis.get(self._completed)
        for state in State:
            for block in self._blocks(state, float(since or 0)):
                self._enter(state, block)
                if is_stopping():
                    return
        redis.set(self._completed, now, keepttl=True) if since else redis.set(self._completed, now, ex=REMEMBERED_SECS)
        self.is_complete = True

    def _blocks(self, state: State, since: float) -> Iterator[list[Cursor]]:
        newer = takewhile(lambda entry: entry[1] >= since, self._ledger.list_keys(state))
        while block := [Cursor(queued_at, key) for key, queued_at in islice(newer, JOBS_A_BLOCK)]:
            yield block

    def _enter(self, state: State, block: Sequence[Cursor]) -> None:
        redis, name = self._ledger.redis, self._ledger.name
        for entries, _ in light_parts(self._ledger, block):
            with redis.pipeline(transaction=False) as pipe:
                for entry in entries:
                    pipe.hmget(name("job", entry.key), "account", "document")
                stored = pipe.execute()
            with redis.pipeline(transaction=False) as pipe:
                for (queued_at, key), (account, document) in zip(entries, stored, strict=True):
                    ordered = json.loads(document or "{}")
                    if account:
                        pipe.zadd(name("state", state, account.lower()), {key: queued_at}, nx=True)
                    target = ordered.get("actor") or ordered.get("actor_task")
                    for index in names_of_indexes(target, ordered.get("labels") or {}, name):
                        pipe.zadd(index, {key: queued_at}, nx=True)
                pipe.execute()
