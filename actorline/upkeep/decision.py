"""Upkeep: what a job needs that is past its `due`. One mechanism for planned, lost and overdue steps.

The ledger is the truth and messages are transport, so a step is simply sent again, with new ids and the next epoch,
which fences off whoever still has the old message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from actorline.jobs.job import Job
from actorline.jobs.states import State

PATIENCE_MAX_SECS: Final = 600.0


class Stage(StrEnum):
    """Where the pipeline of a job begins again."""

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
class Answer:
    """The job has ended: its callers are to have their answers."""


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
    """`control` or `fetch`: a synchronous start holds its slot until the run has ended, and one whose input lies
    elsewhere for as long as its server takes. The search for the run, or the end of a job that has none, doesn't wait.
    """
    if stage is not Stage.START or job.intent:
        return QUEUES[stage]
    waits = job.document.mode == "sync" or (job.document.input_url is not None and not job.stop_wish)
    return "fetch" if waits else QUEUES[stage]


def decide(job: Job, *, now: float, empty_at: Mapping[str, float], watch_s: float) -> SendAgain | Postpone | Answer:
    """What an overdue job needs.

    `empty_at`: when each queue (`control`, `fetch`) was last seen empty. A message counts as lost only if its queue
    was seen empty since it was sent and `watch_s` has passed; until then the job is left alone, twice as long each
    time: a long queue is no reason to make it longer.
    """
    if job.is_terminal:
        return Answer()
    stage = STAGES[job.state]
    if job.is_planned:
        return SendAgain(stage)
    if empty_at.get(queue_of(job, stage), 0) > job.sent_at and now - job.sent_at >= watch_s:
        return SendAgain(stage)
    return Postpone(min(2 * (job.patience or watch_s / 2), PATIENCE_MAX_SECS))
