"""A job's timeline: a bounded stream of what happened to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from actorline.identifiers import JobKey
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.store import Store

ENTRIES_MAX: Final = 500  # a job has about ten; a long outage must not make the stream grow for ever


@dataclass(frozen=True)
class TimelineEntry:
    """`id`: its place in the stream; `at`: unix seconds by Redis."""

    id: str
    at: float
    event: str
    data: dict[str, Any]


class Timeline:
    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, key: JobKey, event: TimelineEvent, **data: object) -> None:
        """Add an entry to the job's timeline; a job that was forgotten gets no new one."""
        self._store.run("add_entry", [self.stream(key)], [ENTRIES_MAX, event, json.dumps(data)])

    def entries(self, key: JobKey) -> list[TimelineEntry]:
        """Return all entries, the oldest first."""
        return _entries(self._store.redis.xrange(self.stream(key)))

    def after(self, key: JobKey, entry_id: str) -> list[TimelineEntry]:
        """Return the entries after the one with the id `entry_id`."""
        return _entries(self._store.redis.xrange(self.stream(key), f"({entry_id}"))

    def latest_id(self, key: JobKey) -> str:
        """Return the latest entry's id; "0-0" if there is none."""
        latest = self._store.redis.xrevrange(self.stream(key), count=1)
        return cast("str", latest[0][0]) if latest else "0-0"

    def stream(self, key: JobKey) -> str:
        """Return the Redis key of the job's timeline."""
        return self._store.name("events", key)

    def grown(self, after: Mapping[str, str], *, within_ms: int) -> set[str]:
        """Return those of the streams that have an entry after the id named for them, waiting for the first of them."""
        return set(dict(self._store.redis.xread(dict(after), count=1, block=within_ms)))


def _entries(raw: list[tuple[str, dict[str, str]]]) -> list[TimelineEntry]:
    return [TimelineEntry(entry, float(e["at"]), e["event"], json.loads(e["data"])) for entry, e in raw]
