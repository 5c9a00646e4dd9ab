"""What is due when: sorted sets of unix seconds by Redis's clock, each member due at its score."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from actorline.identifiers import JobKey
from actorline.ledger.store import Store

LATER_SEARCH_SECS: Final = 300.0  # a list shows a run within seconds; a request that is under way is cut by then
TAKEN_MAX: Final = 100


class Agenda:
    def __init__(self, store: Store) -> None:
        self._store = store

    def claim_upkeep(self, for_ms: int) -> bool:
        """Return whether this caller may send the next upkeep; for some milliseconds no other may."""
        return bool(self._store.redis.set(self._store.name("upkeep"), 1, nx=True, px=for_ms))

    def due_sets(self, ages: Mapping[str, float]) -> set[str]:
        """Return the sets with a member that has been due for as many seconds as `ages` says (0: it is due by now)."""
        found = self._store.run("due_sets", [self._store.name(kind) for kind in ages], ages.values())
        kinds = list(ages)
        return {kinds[number - 1] for number in found}

    def due(self, limit: int) -> list[JobKey]:
        """Return the keys of jobs that need care by now, the longest overdue first."""
        return [JobKey(each) for each in self._due("due", self._store.now(), limit)]

    def postpone(self, key: JobKey, due_in_s: float) -> None:
        """Let upkeep check the job after some seconds, if it checks it at all."""
        self.move("due", [key], self._store.now() + due_in_s)

    def make_due(self, key: JobKey) -> None:
        """Let upkeep look after the job now."""
        self._store.redis.zadd(self._store.name("due"), {key: self._store.now()})

    def plan_deadline(self, key: JobKey, at: float) -> None:
        """Let the job expire at a time, if that is its deadline then."""
        self._store.redis.zadd(self._store.name("deadlines"), {key: at})

    def take_sweeps(self) -> list[str]:
        """Return the accounts to be swept now; each is due again later."""
        return self.take("sweeps")

    def plan_second_search(self, key: JobKey, attempt: int) -> None:
        """Search for an unclear start once more, long after whatever it made must show in the lists."""
        later = self._store.now() + LATER_SEARCH_SECS
        self._store.redis.zadd(self._store.name("second_looks"), {f"{attempt}:{key}": later})

    def take_second_searches(self) -> list[tuple[str, int]]:
        """Return keys and attempts to be searched for now; each is due again later, unless it is forgotten."""
        pairs = [member.partition(":") for member in self.take("second_looks")]
        return [(key, int(attempt)) for attempt, _, key in pairs]

    def has_second_search(self, key: JobKey, attempts: int) -> bool:
        """Return whether a start of one of the job's attempts is still to be searched for once more."""
        members = [f"{attempt}:{key}" for attempt in range(1, attempts + 1)]
        found = self._store.redis.zmscore(self._store.name("second_looks"), members)
        return any(at is not None for at in found)

    def forget_second_search(self, key: JobKey, attempt: int) -> None:
        """Forget a search that has come to its end."""
        self.drop("second_looks", f"{attempt}:{key}")

    def plan(self, kind: str, members: Sequence[str], seconds: float) -> None:
        """Plan members of a set, and return when they are on Redis's disk. Raises NotDurable."""
        if members:
            self._store.run_on_disk("plan", [self._store.name(kind)], [seconds, *members])

    def take(self, kind: str, again_s: float = LATER_SEARCH_SECS) -> list[str]:
        """Return members of a set that are due by now; each is due again later."""
        now = self._store.now()
        due = self._due(kind, now, TAKEN_MAX)
        self.move(kind, due, now + again_s)
        return due

    def move(self, kind: str, members: Iterable[str], at: float) -> None:
        """Let those of the members that are in the set be due at another time."""
        if times := dict.fromkeys(members, at):
            self._store.redis.zadd(self._store.name(kind), times, xx=True)

    def drop(self, kind: str, member: str) -> None:
        """Take a member out of a set."""
        self._store.redis.zrem(self._store.name(kind), member)

    def _due(self, kind: str, now: float, limit: int) -> list[str]:
        found = self._store.redis.zrangebyscore(self._store.name(kind), "-inf", now, start=0, num=limit)
        return cast("list[str]", found)
