"""What is spent and reserved in each period of each budget, and who waits for room in one.

The change that writes a start's intent reserves, and every later change of the job counts what has become of it:
`lua/booking.lua`. So there is no intent without its reservation, and a reservation ends with its attempt.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Final, cast

from actorline.budgets.reservation import Count, Entry, Reservation, without_room
from actorline.identifiers import JobKey
from actorline.ledger.store import Store

LINE_LOOK_SECS: Final = 1.0


class OverBudget(Exception):
    """There is no room for a reservation in the budgets' periods `full`; nothing was changed."""

    def __init__(self, reservation: Reservation, full: Sequence[Entry]) -> None:
        super().__init__("a budget has no room")
        self.reservation, self.full = reservation, full


class BudgetCounts:
    """The hashes `budget:{id}:{period}`, and the lines of those that wait: key -> place."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.prefix = store.name("budget", "")

    def read(self, entries: Iterable[Entry]) -> list[Count]:
        """Return what each entry's period holds."""
        with self._store.redis.pipeline(transaction=False) as pipe:
            for entry in entries:
                pipe.hmget(self._store.name("budget", entry.budget, entry.period), "spent", "reserved")
            return [Count(int(spent or 0), int(reserved or 0)) for spent, reserved in pipe.execute()]

    def without_room(self, reservation: Reservation) -> list[Entry]:
        """Return the entries that have no room for a reservation now."""
        return without_room(reservation, self.read(reservation.entries))

    def of_these(self, keys: Sequence[JobKey], budgets: Iterable[str]) -> list[JobKey]:
        """Return the jobs whose reservation names one of the budgets. Nothing else of them is read."""
        named = [json.dumps(budget, ensure_ascii=False) for budget in budgets]
        with self._store.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(self._store.name("job", key), "reservation")
            stored = pipe.execute()
        return [key for key, text in zip(keys, stored, strict=True) if any(each in (text or "") for each in named)]

    # -- jobs that wait for room

    @property
    def _lines(self) -> str:
        return self._store.name("budget_lines")

    def waiting(self, budgets: Sequence[str]) -> list[int]:
        """Return how many jobs stand in the line of each budget."""
        with self._store.redis.pipeline(transaction=False) as pipe:
            for budget in budgets:
                pipe.zcard(self._store.name("budget_line", budget))
            return cast("list[int]", pipe.execute())

    def first_in_line(self, budget: str, limit: int) -> list[JobKey]:
        return cast("list[JobKey]", self._store.redis.zrange(self._store.name("budget_line", budget), 0, limit - 1))

    def enter(self, budget: str, key: JobKey, *, epoch: int, place: float, deadline_at: float | None) -> None:
        """Put a job, which is waiting by now, into the line, where it has no `due` but its deadline. Safe to repeat."""
        name = self._store.name
        keys = [name("job", key), name("due"), name("budget_line", budget), self._lines, name("pace", budget)]
        self._store.run("enter_line", keys, [key, epoch, place, budget, deadline_at or "", "", 0])

    def call(self, budget: str, keys: Sequence[JobKey]) -> None:
        """Make jobs of the line due now, and forget a line that is empty. A job is in the line or due, always."""
        line, due, lines = self._store.name("budget_line", budget), self._store.name("due"), self._lines
        if keys:
            now = self._store.now()
            with self._store.redis.pipeline(transaction=True) as pipe:
                pipe.zrem(line, *keys)
                pipe.zadd(due, dict.fromkeys(keys, now))
                pipe.execute()
        self._store.run("call_line", [line, due, lines, line], [0, budget, LINE_LOOK_SECS, ""])
