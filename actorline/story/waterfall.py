"""A job's life as bars on one time axis: waiting, starting, running, collecting, delivering, attempt by attempt."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from actorline.jobs.job import Job
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.timeline import TimelineEntry

AXIS: Final = 1000  # units from the beginning of the first part to the end of the last
SHORTEST_SECS: Final = 0.05  # what is shorter is nothing to see
NARROWEST: Final = 4  # units of a bar that can be seen


@dataclass(frozen=True)
class Phase:
    """`begin`, `end`: unix seconds; `is_open`: it still lasts."""

    name: str
    attempt: int
    begin: float
    end: float
    is_open: bool = False

    @property
    def seconds(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True)
class Bar:
    """A phase on an axis of `AXIS` units."""

    phase: Phase
    left: float
    width: float


@dataclass(frozen=True)
class Axis:
    """The time that the bars share: `begin` in unix seconds, `scale` in units a second."""

    begin: float
    scale: float

    @classmethod
    def of(cls, found: Sequence[Phase]) -> "Axis":
        """Return the axis from the beginning of the first phase to the end of the last; at least one is needed."""
        begin = min(phase.begin for phase in found)
        return cls(begin, AXIS / max(max(phase.end for phase in found) - begin, SHORTEST_SECS))

    def place(self, begin: float, end: float) -> tuple[float, float]:
        """Return left and width of a stretch of time, wide enough to be seen."""
        left = min(max((begin - self.begin) * self.scale, 0), AXIS - NARROWEST)
        return left, max(min((end - begin) * self.scale, AXIS - left), NARROWEST)


_BEGINS: Final[Mapping[str, str]] = {
    TimelineEvent.QUEUED: "Waiting",
    TimelineEvent.RETRIED: "Waiting",
    TimelineEvent.NEW_RUN: "Waiting",
    TimelineEvent.WAITING: "Waiting",
    TimelineEvent.INPUT_WAITS: "Waiting",
    TimelineEvent.STARTING: "Starting",
    TimelineEvent.RUN_KNOWN: "Running",
    TimelineEvent.ABORTING: "Aborting",
    TimelineEvent.COLLECTING: "Collecting",
    TimelineEvent.FETCHING: "Collecting",
}
_NEXT_ATTEMPT: Final = frozenset({TimelineEvent.RETRIED, TimelineEvent.NEW_RUN})


def phases(job: Job, entries: Sequence[TimelineEntry], now: float) -> list[Phase]:
    """Return the phases of the job's life, the last one up to `now` if it hasn't ended."""
    return [phase for phase in _split(job, list(_phases(entries, now))) if phase.seconds >= SHORTEST_SECS]


def bars(found: Sequence[Phase]) -> list[Bar]:
    """Return the phases as bars that fill the axis together; each is wide enough to be seen."""
    if not found:
        return []
    axis = Axis.of(found)
    return [Bar(phase, *axis.place(phase.begin, phase.end)) for phase in found]


def _phases(entries: Sequence[TimelineEntry], now: float) -> Iterator[Phase]:
    attempt, name, begin = 1, "", 0.0
    for entry in entries:
        is_end = entry.event == TimelineEvent.ENDED
        following = "" if is_end else _BEGINS.get(entry.event, name)
        if entry.event in _NEXT_ATTEMPT:
            attempt += 1
        if following != name or entry.event in _NEXT_ATTEMPT:
            if name:
                yield Phase(name, attempt - (entry.event in _NEXT_ATTEMPT), begin, entry.at)
            name, begin = following, entry.at
    if name:
        yield Phase(name, attempt, begin, now, is_open=True)


def _split(job: Job, found: list[Phase]) -> list[Phase]:
    """Cut what came after the last stored page off the last collecting: that is delivering."""
    stored_at = job.collection.stored_at
    if not found or found[-1].name != "Collecting" or found[-1].is_open or stored_at is None:
        return found
    last = found[-1]
    if not last.begin < stored_at < last.end:
        return found
    return [*found[:-1], replace(last, end=stored_at), replace(last, name="Delivering", begin=stored_at)]
