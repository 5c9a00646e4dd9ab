"""A run's life as a function of time: no timers, the state is worked out whenever it is asked for, and so is its log.

Statuses and what an abort acts on: `docs/platform-facts.md#statuses`, `docs/platform-facts.md#abort`.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal, NamedTuple, get_args

from actorline.emulator.clock import iso
from actorline.emulator.profile import Script

Status = Literal["READY", "RUNNING", "TIMING-OUT", "ABORTING", "SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"]

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
TERMINAL: Final[frozenset[Status]] = frozenset({"SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"})
ABORTABLE: Final[frozenset[Status]] = frozenset({"READY", "RUNNING", "TIMING-OUT"})

_PASSING: Final[dict[Status, Status]] = {"TIMED-OUT": "TIMING-OUT", "ABORTED": "ABORTING"}
_SAID: Final[dict[str, str]] = {
    "READY": "ACTOR: Pulling Docker image of build.",
    "RUNNING": "ACTOR: Starting Docker container.",
    "TIMING-OUT": "ACTOR: The run is timing out.",
    "ABORTING": "ACTOR: The run is being aborted.",
}


class Change(NamedTuple):
    at: float
    status: Status


@dataclass(frozen=True)
class Life:
    """One run in time. Times are unix seconds; `aborted_at` is when an abort was accepted, if one was.

    A resurrected run has an `earlier` life, goes on from `resurrected_at`, and adds to what it had stored.
    """

    script: Script
    created_at: float
    timeout_secs: int = 0
    aborted_at: float | None = None
    earlier: "Life | None" = None
    resurrected_at: float = 0

    def resurrected(self, now: float, timeout_secs: int | None) -> "Life":
        """Return the life of the same run once more, from `now` on; the time-out counts from there."""
        script = self.script.overridden({**self.script.resurrected, "ready_secs": 0})
        timeout = self.timeout_secs if timeout_secs is None else timeout_secs
        return Life(script, self.created_at, timeout, earlier=self, resurrected_at=now)

    def finished(self, now: float) -> "Life":
        """Return the same life whose rest is done now: all items are there, and what it is passing through is over."""
        reached = [change for change in self._changes_of_this_life if change.at <= now]
        if reached and reached[-1].status in _PASSING.values():
            return replace(self, script=self.script.overridden({"abort_secs": now - reached[-1].at}))
        ready_secs = min(self.script.ready_secs, now - (self.resurrected_at or self.created_at))
        worked_secs = max(now - self.running_at, 0)
        done = {"ready_secs": ready_secs, "duration_secs": worked_secs, "item_rate": None}
        return replace(self, script=self.script.overridden(done))

    @property
    def resurrections(self) -> int:
        return self.earlier.resurrections + 1 if self.earlier else 0

    @property
    def running_at(self) -> float:
        return (self.resurrected_at or self.created_at) + self.script.ready_secs

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Return every status with the time from which it holds; the last one is terminal."""
        return (*(self.earlier.changes if self.earlier else ()), *self._changes_of_this_life)

    @cached_property
    def _changes_of_this_life(self) -> tuple[Change, ...]:
        planned = self._planned_changes()
        if self.aborted_at is None:
            return planned
        before = tuple(change for change in planned if change.at <= self.aborted_at)
        return (*before, *self._stopping(self.aborted_at, "ABORTED"))

    @property
    def finished_at(self) -> float:
        return self.changes[-1].at

    def status(self, now: float) -> Status:
        return next(change.status for change in reversed(self.changes) if change.at <= now)

    def is_finished(self, now: float) -> bool:
        return now >= self.finished_at

    def worked_secs(self, now: float) -> float:
        """Return how long the Actor has been at work: the time in RUNNING."""
        end = min(now, self._work_ends_at)
        if end >= self._natural_end:
            return self.script.duration_secs
        return max(0.0, end - self.running_at)

    def items(self, now: float) -> int:
        """Return how many items are stored."""
        stored = self.earlier.items(now) if self.earlier else 0
        worked = self.worked_secs(now)
        if self.script.item_rate is not None:
            return min(self.script.items, stored + int(worked * self.script.item_rate))
        return stored + int(max(self.script.items - stored, 0) * self._share(worked, now))

    def reported_items(self, now: float) -> int:
        """Return how many items the counters admit: they lag (`docs/platform-facts.md#counters-lag`)."""
        lag = self.script.counter_lag_secs
        if self.script.initial_total is not None and now < self.finished_at + lag:
            return min(self.script.initial_total, self.items(now))
        return self.items(now - lag)

    def usage_usd(self, now: float) -> float:
        before = self.earlier.usage_usd(now) if self.earlier else 0
        return before + self.script.usage_usd * self._share(self.worked_secs(now), now)

    @property
    def _natural_end(self) -> float:
        return self.running_at + self.script.duration_secs

    @property
    def _work_ends_at(self) -> float:
        return next(
            (change.at for change in self._changes_of_this_life if change.status not in {"READY", "RUNNING"}),
            self.finished_at,
        )

    def _share(self, worked: float, now: float) -> float:
        if self.script.duration_secs == 0:
            return float(now >= self.running_at and self._work_ends_at >= self._natural_end)
        return worked / self.script.duration_secs

    def _planned_changes(self) -> tuple[Change, ...]:
        start = (Change(self.resurrected_at or self.created_at, "READY"), Change(self.running_at, "RUNNING"))
        if 0 < self.timeout_secs < self.script.duration_secs:
            return (*start, *self._stopping(self.running_at + self.timeout_secs, "TIMED-OUT"))
        return (*start, *self._stopping(self._natural_end, self.script.final_status))

    def _stopping(self, at: float, final: Status) -> tuple[Change, ...]:
        if final in _PASSING:
            return Change(at, _PASSING[final]), Change(at + self.script.abort_secs, final)
        return (Change(at, final),)


def log_lines(life: Life, now: float) -> list[str]:
    """Return one entry a status so far; each begins with an ISO time and ends with a newline."""
    return [
        f"{iso(change.at)} {_SAID.get(change.status, f'ACTOR: The run ended as {change.status}.')}\n"
        for change in life.changes
        if change.at <= now
    ]
