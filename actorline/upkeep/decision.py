"""What a job past its `due` needs. One mechanism covers planned, lost and overdue steps.

The ledger is the truth and messages are only transport, so a step is simply sent again, with new ids and the next
epoch, which makes the old message, if it still exists, do nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from actorline.jobs.job import Job
from actorline.jobs.states import State

PATIENCE_MAX_SECS: Final = 600.0


class Stage(StrEnum):
    """The stage at which a job's pipeline starts again."""

    START = "start_run"
    POLL = "poll_run"
    COLLECT = "fetch_pages"


@dataclass(frozen=True)
class SendAgain:
    stage: Stage


@dataclass(frozen=True)
class Postpone:
    seconds: float


@dataclass(frozen=True)
class AnswerCallers:
    """The job has ended: its callers need their answers."""


STAGES: Final[Mapping[State, Stage]] = {
    State.QUEUED: Stage.START,
    State.WAITING: Stage.START,
    State.STARTING: Stage.START,
    State.RUNNING: Stage.POLL,
    State.ABORTING: Stage.POLL,
    State.COLLECTING: Stage.COLLECT,
}
QUEUES: Final[Mapping[Stage, str]] = {Stage.START: "control", Stage.POLL: "control", Stage.COLLECT: "fetch"}


def queue_of(job: Job, stage: Stage) -> str:
    """Return `control` or `fetch`. A synchronous start holds its slot until the run has ended, and one with `input_url`
    until its server has responded. The search for the run, or the end of a job without one, doesn't wait.
    """
    if stage is not Stage.START or job.intent:
        return QUEUES[stage]
    waits = job.document.mode == "sync" or (job.document.input_url is not None and not job.stop_wish)
    return "fetch" if waits else QUEUES[stage]


def decide(
    job: Job, *, now: float, empty_at: Mapping[str, float], lost_message_s: float
) -> SendAgain | Postpone | AnswerCallers:
    """Return what an overdue job needs.

    `empty_at`: when each queue (`control`, `fetch`) was last seen empty. A message counts as lost only if its queue
    was seen empty since it was sent and `lost_message_s` has passed; until then the job is postponed, twice as long
    each time: a long queue must not be made longer.
    """
    if job.is_terminal:
        return AnswerCallers()
    stage = STAGES[job.state]
    if job.care.is_planned:
        return SendAgain(stage)
    sent_at = job.care.sent_at
    if empty_at.get(queue_of(job, stage), 0) > sent_at and now - sent_at >= lost_message_s:
        return SendAgain(stage)
    return Postpone(min(2 * (job.care.patience_s or lost_message_s / 2), PATIENCE_MAX_SECS))
