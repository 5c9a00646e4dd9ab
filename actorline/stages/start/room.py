"""Is there room for a run in its account? Asked before the start, so that a full account refuses none."""

from dataclasses import dataclass
from typing import Final

from actorline.errors import Code
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.job import Job
from actorline.ledger.admission.account_room import AccountRoom, Claim
from actorline.ledger.admission.capacity_line import CapacityLine
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformError
from actorline.stages.start.limits import read_limits
from actorline.stages.start.run_defaults import run_defaults
from actorline.stages.start.steps import WaitTurn

log = Logger(__name__)

QUESTIONS_MAX: Final = 4  # limits, memory, limits of a full account: then the platform decides
READ_SILENCE_SECS: Final = 5.0  # a start can go out without the limits, so it waits for them only briefly


@dataclass(frozen=True)
class RoomForStart:
    ledger: Ledger
    platform: Platform

    def claim(self, job: Job) -> WaitTurn | None:
        """Take the room that the job's run needs; returns how it waits if there is none. Where the account's limits
        can't be read, the platform decides, as it does in the end for every start.
        """
        room, document = AccountRoom(self.ledger, job.document.account), job.document
        for _ in range(QUESTIONS_MAX):
            claim = room.claim(job.key, target_of(document), document.options.memory_mbytes)
            match claim.verdict:
                case "free":
                    return None
                case "full":
                    return no_room(claim)
                case "ask":
                    self._read_limits(job, room, claim.at)
                case "memory":
                    room.note_memory(target_of(document), self._default_memory(document))
        return None

    def _read_limits(self, job: Job, room: AccountRoom, asked_at: float) -> None:
        """Keep what the account has left, and call as many of its line as there is room for."""
        try:
            use = read_limits(self.ledger, self.platform, room.account, asked_at=asked_at, silence_s=READ_SILENCE_SECS)
        except PlatformError as error:
            log.warning("limits_unreadable", account=room.account, error=str(error))
            room.note_unreadable()
            return
        starts = use.left.starts(job.document.options.memory_mbytes or 0)
        if starts and starts > 1:
            CapacityLine(self.ledger, room.account).invite(starts - 1)

    def _default_memory(self, document: JobDocument) -> int:
        try:
            return run_defaults(self.platform, document).memory_mbytes or 0
        except PlatformError:
            return 0


def no_room(claim: Claim) -> WaitTurn:
    """Return how a job waits that doesn't fit into its account."""
    if claim.runs_left is not None and claim.runs_left < 1:
        message = "The account has as many runs as it may have. The job starts as soon as one has ended."
        return WaitTurn(Code.CAPACITY, message, is_full=True)
    message = (
        f"The run needs {claim.needs_mbytes or 0:,} MB of memory, and its account has {claim.mbytes_left or 0:,} MB "
        "left. The job starts as soon as there is room."
    )
    return WaitTurn(Code.CAPACITY, message, is_full=True, needs_less=True)


def target_of(document: JobDocument) -> str:
    """Return what is started, as one word for an Actor and an Actor task."""
    return f"task:{document.actor_task}" if document.actor_task else f"actor:{document.actor}"
