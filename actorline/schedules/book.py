"""The book of schedules in Redis: how far each has come, and which beats are running. All beats share it."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Final

from actorline.ledger.admission.schedule_pauses import SchedulePause, read_pauses
from actorline.ledger.ledger import Ledger
from actorline.schedules.decision import SchedulePosition

BEAT_SECS: Final = 30.0  # a beat that hasn't checked for this long has stopped; it checks every few seconds


@dataclass(frozen=True)
class BookEntry:
    """A schedule's position, and its text in Redis, which a change must still find."""

    place: SchedulePosition
    text: str


@dataclass(frozen=True)
class Reading:
    """The book at one moment: unix seconds by Redis, name -> entry, the running beats, and name -> pause."""

    now: float
    entries: Mapping[str, BookEntry]
    beats: list[str]
    pauses: Mapping[str, SchedulePause] = field(default_factory=dict)

    @property
    def followed(self) -> frozenset[str]:
        """Return the names of the schedules that a running beat orders, whatever became of their file since."""
        return frozenset(name for name, entry in self.entries.items() if self.beats and entry.place.rhythm)


class Book:
    def __init__(self, ledger: Ledger) -> None:
        self._redis = ledger.redis
        self._schedules, self._beats = ledger.name("schedules"), ledger.name("beats")
        self._pauses = ledger.name("schedule_pauses")
        script = files(__package__).joinpath("lua/keep_place.lua").read_text()
        self._keep_place = ledger.redis.register_script(script)

    def read(self) -> Reading:
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hgetall(self._schedules)
            pipe.zrange(self._beats, 0, -1, withscores=True)
            pipe.hgetall(self._pauses)
            (seconds, microseconds), raw, beats, pauses = pipe.execute()
        now = seconds + microseconds / 1_000_000
        entries = {name: BookEntry(SchedulePosition.model_validate_json(text), text) for name, text in raw.items()}
        running = [beat for beat, looked_at in beats if looked_at > now - BEAT_SECS]
        return Reading(now, entries, running, read_pauses(pauses))

    def keep(self, name: str, before: BookEntry | None, place: SchedulePosition) -> bool:
        """Change a schedule's place; return False if another beat has changed it since it was read."""
        text = json.dumps({**place.model_dump(exclude_defaults=True), "by": secrets.token_hex(8)})
        return bool(self._keep_place(keys=[self._schedules], args=[name, before.text if before else "", text]))

    def note_beat(self, beat: str, now: float) -> None:
        """Record that a beat is running, and remove those that aren't."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.zadd(self._beats, {beat: now})
            pipe.zremrangebyscore(self._beats, "-inf", now - BEAT_SECS)
            pipe.execute()

    def forget_beat(self, beat: str) -> None:
        self._redis.zrem(self._beats, beat)
