"""Each account's jobs by state, `state:{s}:{account}`: so that a list of one account's jobs looks at no other's.

The ledger's scripts keep it. What an earlier version registered or moved isn't in it: a gateway looks through the jobs
when it starts, unless that was done within a day, and lists as that version did until it has. An entry may be out of
date, as a job is looked at before it is listed; none may be missing.
"""

from collections.abc import Callable
from typing import Final

from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger

KEYS_A_BLOCK: Final = 500
REMEMBERED_SECS: Final = 86_400  # a worker of an earlier version may come back


class AccountIndex:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.is_complete = False

    def was_completed(self) -> bool:
        """Return whether somebody looked through all jobs within a day."""
        return bool(self._ledger.redis.exists(self._ledger.name("accounts_indexed")))

    def complete(self, *, is_stopping: Callable[[], bool]) -> None:
        """Enter what is missing. Raises redis.RedisError; safe to repeat."""
        if self.was_completed():
            self.is_complete = True
            return
        for state in State:
            block: list[tuple[str, float]] = []
            for entry in self._ledger.list_keys(state):
                block.append(entry)
                if len(block) == KEYS_A_BLOCK:
                    self._enter(state, block)
                    block.clear()
                if is_stopping():
                    return
            self._enter(state, block)
        self._ledger.redis.set(self._ledger.name("accounts_indexed"), 1, ex=REMEMBERED_SECS)
        self.is_complete = True

    def _enter(self, state: State, block: list[tuple[str, float]]) -> None:
        redis, name = self._ledger.redis, self._ledger.name
        with redis.pipeline(transaction=False) as pipe:
            for key, _ in block:
                pipe.hget(name("job", key), "account")
            accounts = pipe.execute()
        with redis.pipeline(transaction=False) as pipe:
            for (key, queued_at), account in zip(block, accounts, strict=True):
                if account:
                    pipe.zadd(name("state", state, account.lower()), {key: queued_at}, nx=True)
            pipe.execute()
