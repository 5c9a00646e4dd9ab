"""What the timeline of a job may say; the log spells it in the same way."""

import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from actorline.jobs.states import State

LOG_BEGINS: Final = ". Its log ends: "
"""In the message of a run's end, before the lines that the entry `run-log` has as well."""


class TimelineEvent(StrEnum):
    """The values are on the wire: add, don't rename. A timeline may have others, which a newer version wrote."""

    QUEUED = "queued"
    STARTING = "starting"
    WAITING = "waiting"
    INPUT_WAITS = "input-waits"
    START_UNCLEAR = "start-unclear"
    START_NOT_FOUND = "start-not-found"
    RUN_KNOWN = "run-known"
    RUN_STATUS = "run-status"
    RUN_ENDED = "run-ended"
    RUN_AGAIN = "run-again"
    RUN_LOG = "run-log"
    POLL_FAILED = "poll-failed"
    NEW_RUN = "new-run"
    RESURRECTING = "resurrecting"
    RESURRECTED = "resurrected"
    RESURRECTION_UNCLEAR = "resurrection-unclear"
    RESURRECTION_LOST = "resurrection-lost"
    RESURRECTION_REFUSED = "resurrection-refused"
    ABORTING = "aborting"
    STRAY_RUN = "stray-run"
    STRAY_ABORTED = "stray-aborted"
    COLLECTING = "collecting"
    FETCHING = "fetching"
    FETCHING_AHEAD = "fetching-ahead"
    PAGE_FAILED = "page-failed"
    RECORDS_WITHHELD = "records-withheld"
    COMPARING = "comparing"
    STAGE_FAILED = "stage-failed"
    ENDED = "ended"
    FIGURES_SETTLED = "figures-settled"
    CANCEL_ASKED = "cancel-asked"
    GUARD_BROKEN = "guard-broken"
    ENOUGH_ROWS = "enough-rows"
    RETRIED = "retried"
    SCHEDULE_SKIPS = "schedule-skips"
    NOTIFY_REFUSED = "notify-refused"
    NOTIFY_FAILED = "notify-failed"
    TASK_NOTIFIED = "task-told"
    URL_NOTIFIED = "url-told"
    INPUTS_STORED = "inputs-stored"
    INPUTS_FAILED = "inputs-failed"


CHATTER: Final = frozenset({
    TimelineEvent.RUN_STATUS, TimelineEvent.RUN_LOG, TimelineEvent.FETCHING, TimelineEvent.FETCHING_AHEAD,
    TimelineEvent.FIGURES_SETTLED, TimelineEvent.TASK_NOTIFIED, TimelineEvent.URL_NOTIFIED,
})  # fmt: skip
"""What the timeline keeps, and a log of a thousand jobs an hour is easier to read without."""

WARNED: Final = frozenset({
    TimelineEvent.STAGE_FAILED, TimelineEvent.GUARD_BROKEN, TimelineEvent.NOTIFY_FAILED, TimelineEvent.NOTIFY_REFUSED,
    TimelineEvent.RUN_AGAIN,
})  # fmt: skip
WARNED_ENDS: Final = frozenset({State.FAILED, State.PARTIAL, State.EXPIRED})
"""Ends with rows missing that nobody asked for; a cancel was asked for."""


def level_of(event: TimelineEvent, data: Mapping[str, Any]) -> int:
    """Return the log level of a timeline's entry."""
    if event in CHATTER:
        return logging.DEBUG
    is_bad = event in WARNED or (event == TimelineEvent.ENDED and data.get("state") in WARNED_ENDS)
    return logging.WARNING if is_bad else logging.INFO
