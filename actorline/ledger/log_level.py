"""How loud an entry of a job's timeline is in the log: a warning where somebody who reads only those must see it."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent

WARNED: Final = frozenset({TimelineEvent.STAGE_FAILED})
WARNED_ENDS: Final = frozenset({State.FAILED, State.PARTIAL, State.EXPIRED})
"""Ends with rows missing that nobody asked for; a cancel is somebody's wish."""


def level_of(event: TimelineEvent, data: Mapping[str, Any]) -> int:
    """Return the log level of a timeline's entry."""
    is_bad = event in WARNED or (event == TimelineEvent.ENDED and data.get("state") in WARNED_ENDS)
    return logging.WARNING if is_bad else logging.INFO
