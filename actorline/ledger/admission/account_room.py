"""How many more runs an account may have now, and with how much memory: what its limits said, less our starts since.

The limits are read once a minute; while the account is full and jobs wait, every few seconds, and sooner when a run of
ours has ended. So a run's end needs no book of its own, and runs that others start or end are noticed too. A start
takes its room before it is sent, in one step for all workers, so a full account gets no request that it would refuse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel

from actorline.identifiers import AccountName, JobKey
from actorline.ledger.ledger import Ledger

MBYTES_OF_A_GBYTE: Final = 1024
KEPT_SECS: Final = 60.0
FULL_AGAIN_SECS: Final = 3.0
ENDED_AGAIN_SECS: Final = 1.0
SENT_SECS: Final = 15.0  # longer than a start may take until it is sent
UNREADABLE_SECS: Final = 60.0
REMEMBERED_SECS: Final = 600
MEMORY_KEPT_SECS: Final = 600
CLOCK_SLACK_SECS: Final = 0.1  # our idea of Redis's time is a round trip old

Verdict = Literal["free", "full", "ask", "memory"]


class Claim(NamedTuple):
    """What became of a claim: see `lua/claim_room.lua`. None: no limit is known."""

    verdict: Verdict
    at: float
    runs_left: int | None
    mbytes_left: int | None
    needs_mbytes: int | None


@dataclass(frozen=True)
class RoomLeft:
    """What an account has left, and of what; None: no limit is known."""

    runs: int | None
    memory_mbytes: int | None
    most_memory_mbytes: int | None = None

    def starts(self, needs_mbytes: int) -> int | None:
        """Return for how many runs with so much memory there is room; None: for any number."""
        by_memory = self.memory_mbytes // needs_mbytes if self.memory_mbytes is not None and needs_mbytes else None
        bounds = [max(bound, 0) for bound in (self.runs, by_memory) if bound is not None]
        return min(bounds, default=None)


class AccountUse(BaseModel):
    """What the platform last said of an account's limits: what is used, and of what, by `runs`, `memory_gbytes` and
    `month_usd`. `at`: unix seconds by Redis when it was asked.
    """

    at: float
    used: dict[str, float]
    limit: dict[str, float]

    @property
    def left(self) -> RoomLeft:
        """Return what the limits leave for further runs."""
        runs = most_memory = memory = None
        if "runs" in self.limit and "runs" in self.used:
            runs = int(self.limit["runs"] - self.used["runs"])
        if "memory_gbytes" in self.limit:
            most_memory = int(self.limit["memory_gbytes"] * MBYTES_OF_A_GBYTE)
            if "memory_gbytes" in self.used:
                memory = int(most_memory - self.used["memory_gbytes"] * MBYTES_OF_A_GBYTE)
        return RoomLeft(runs, memory, most_memory)


class NotedRoom(NamedTuple):
    """`age_s`: seconds since the limits were read."""

    left: RoomLeft
    age_s: float


@dataclass(frozen=True)
class AccountRoom:
    """`room:{account}`, `room_claims:{account}`, `room_needs:{account}`, and the account's part of `account_use`."""

    ledger: Ledger
    account: AccountName

    def claim(self, key: JobKey, target: str, memory_mbytes: int | None) -> Claim:
        """Take the room for a start of `target`, an Actor or Actor task. `memory_mbytes`: as the order says."""
        keys = [*self._keys, self._memory_of(target)]
        args = [key, memory_mbytes or "", KEPT_SECS, FULL_AGAIN_SECS, ENDED_AGAIN_SECS, SENT_SECS]
        verdict, at, *numbers = self.ledger.run_script("claim_room", keys, args)
        return Claim(verdict, float(at), *(_number(text) for text in numbers))

    def note(self, use: AccountUse) -> None:
        """Keep what the limits said, for starts and for all who show it, unless something newer is known."""
        left = use.left
        numbers = ["" if each is None else each for each in (left.runs, left.memory_mbytes, left.most_memory_mbytes)]
        keys = [*self._keys, self.ledger.name("account_use")]
        args = [use.at, *numbers, REMEMBERED_SECS, self.account.lower(), use.model_dump_json()]
        self.ledger.run_script("note_room", keys, args)

    def note_unreadable(self) -> None:
        """Let starts go out unchecked for a while: the account's limits can't be read."""
        room = self._keys[0]
        with self.ledger.redis.pipeline() as pipe:
            pipe.hset(room, "unreadable_until", self.ledger.now() + UNREADABLE_SECS)
            pipe.expire(room, REMEMBERED_SECS)
            pipe.execute()

    def note_memory(self, target: str, memory_mbytes: int) -> None:
        """Remember with how much memory an Actor or Actor task runs by default; 0: it is unknown."""
        self.ledger.redis.set(self._memory_of(target), memory_mbytes, ex=MEMORY_KEPT_SECS)

    def forget(self) -> None:
        """Read the limits before the next start: the platform refused one for which there seemed to be room."""
        self.ledger.redis.hdel(self._keys[0], "read_at")

    def noted(self) -> NotedRoom | None:
        """Return what is known of the account, without asking; None if it isn't known, or no longer."""
        return noted_room(self.ledger.redis.hgetall(self._keys[0]), self.ledger.now())

    @property
    def _keys(self) -> list[str]:
        return [self.ledger.name(kind, self.account) for kind in ("room", "room_claims", "room_needs")]

    def _memory_of(self, target: str) -> str:
        return self.ledger.name("actor_memory", target)


def noted_room(stored: Mapping[str, str], now: float) -> NotedRoom | None:
    """Return what a hash `room:{account}` says."""
    if "read_at" not in stored:
        return None
    left = RoomLeft(*(_number(stored[name]) for name in ("runs", "memory_mbytes", "most_memory_mbytes")))
    return NotedRoom(left, max(now - float(stored["read_at"]), 0.0))


def _number(text: str | int) -> int | None:
    return None if text == "" else int(text)
