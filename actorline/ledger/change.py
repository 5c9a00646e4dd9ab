"""One change of a job: what becomes of it, under which conditions, and what its timeline says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from actorline.jobs.fields import JobFields
from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent

UNCHANGED: Final = "unchanged"
Due = float | Literal["unchanged"] | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """`to`: the state that the job gets; `next_epoch`: messages of the epoch so far don't count any more.

    `due_in_s`: seconds until upkeep looks after the job; None: never.
    `fields`: what else the job's hash holds from now on. `guards`: what it must hold now (None: no value), or
    nothing is changed.
    `once`: the hash's field that says that this was done before: then nothing is changed (`orders/request_field.py`).
    `members_max`: a member of a batch is changed only while its batch is to go on, with fewer live members than that.
    `event`: an entry for the timeline, with `data`.
    `on_disk`: the change counts when it is on Redis's disk; with `or_warn` it counts also without.
    """

    to: State | None = None
    next_epoch: bool = False
    due_in_s: Due = UNCHANGED
    fields: JobFields = field(default_factory=JobFields)
    guards: JobFields = field(default_factory=JobFields)
    once: str = ""
    members_max: int | None = None
    event: TimelineEvent | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    on_disk: bool = False
    or_warn: bool = False
