"""The steps of a start: something to find out, the one POST, or a move that ends this execution's part."""

from collections.abc import Sequence
from dataclasses import dataclass

from actorline.budgets.reservation import Entry, Reservation
from actorline.errors import Code, Reason
from actorline.identifiers import DatasetId, RunId
from actorline.jobs.job import Intent, Job, StopWish
from actorline.jobs.timeline_event import TimelineEvent
from actorline.platform.datasets import Dataset
from actorline.stages.start.permit import Permit
from actorline.stages.start.run_input import RunInput

# -- to find out


@dataclass(frozen=True)
class FindDelivery:
    """Is there an earlier delivery that serves the order?"""


@dataclass(frozen=True)
class CheckSink:
    """Can the rows be delivered from here?"""


@dataclass(frozen=True)
class AskForTurn:
    """Is the account paused, and do other jobs come first?"""


@dataclass(frozen=True)
class FindDataset:
    """Does the ordered dataset exist?"""

    dataset_id: DatasetId


@dataclass(frozen=True)
class FindRun:
    """Does the ordered run exist?"""

    run_id: RunId


@dataclass(frozen=True)
class ReadInput:
    """What is at the order's `input_url`?"""

    url: str


@dataclass(frozen=True)
class AskForRoom:
    """Has the account room for the run? If it has, the room is taken."""


@dataclass(frozen=True)
class TakeLease:
    """May this execution start the run? From here on the time to send it is running."""


@dataclass(frozen=True)
class FindLostRuns:
    """Has the attempt a run that the ledger forgot?"""

    permit: Permit


@dataclass(frozen=True)
class SearchEarly:
    """Is the run there whose start another execution sends, or sent before it died?"""

    intent: Intent


@dataclass(frozen=True)
class Search:
    """What became of a start whose outcome is unknown?"""

    intent: Intent
    permit: Permit


Inquiry = (
    FindDelivery
    | CheckSink
    | AskForTurn
    | FindDataset
    | FindRun
    | ReadInput
    | AskForRoom
    | TakeLease
    | FindLostRuns
    | SearchEarly
    | Search
)

# -- the POST


@dataclass(frozen=True)
class Announce:
    """Write the intent, on disk, and send the start. `given`: an input that was read from elsewhere."""

    permit: Permit
    given: RunInput | None


# -- moves that end the job


@dataclass(frozen=True)
class ObeyStopWish:
    """End the job as its stop wish asks. `suspects`: runs that may be the job's, and are still running. `doubt`: why it
    is unknown whether there is one.
    """

    stop_wish: StopWish
    suspects: Sequence[RunId] = ()
    doubt: str = ""


@dataclass(frozen=True)
class Reuse:
    earlier: Job


@dataclass(frozen=True)
class Refuse:
    reason: Reason


End = ObeyStopWish | Reuse | Refuse

# -- moves to the next stage


@dataclass(frozen=True)
class RunStarted:
    """The response to the POST has a run."""

    run_id: RunId


@dataclass(frozen=True)
class Adopt:
    """The first run becomes the job's; further ones are strays. `is_lost`: False while its start is still waited for,
    for that is how the run of a synchronous start becomes known.
    """

    run_ids: Sequence[RunId]
    is_lost: bool = True


@dataclass(frozen=True)
class Collect:
    dataset: Dataset


# -- moves that make the job wait


@dataclass(frozen=True)
class WaitTurn:
    """Stand in the account's line until called. `was_refused`: by the platform, so the line moves more slowly.
    `is_full`: by the account's limits, without a request. `needs_less`: the next one in line may need less memory, and
    is called.
    """

    code: Code
    message: str
    was_refused: bool = False
    is_full: bool = False
    needs_less: bool = False


@dataclass(frozen=True)
class WaitForBudget:
    """Stand in the line of a budget until it has room for the run."""

    reservation: Reservation
    full: Sequence[Entry]


@dataclass(frozen=True)
class TryLater:
    """It is certain that no run was made; try again, with back-off, after `at_least_s` or more."""

    reason: Reason
    at_least_s: float | None = None
    input_failed: bool = False


@dataclass(frozen=True)
class PlanAgain:
    """Begin this stage again after some seconds. `event`: recorded in the timeline, with the message."""

    seconds: float
    event: TimelineEvent | None = None
    message: str = ""


@dataclass(frozen=True)
class Unclear:
    """A run may have been made: keep the intent, with the time at which the request was given up, and search."""

    intent: Intent
    why: str


@dataclass(frozen=True)
class SearchAgain:
    """No run was found, too early for that to count."""


@dataclass(frozen=True)
class AskPerson:
    """It is unknown whether one of these runs is the job's: a person must decide. `doubt`: why it is unknown whether
    there is one.
    """

    suspects: Sequence[RunId] = ()
    doubt: str = ""


@dataclass(frozen=True)
class StartAgain:
    """The search came to its end and found no run: remove the intent, so that another start may be sent."""


@dataclass(frozen=True)
class StepBack:
    """Another execution has the job."""


Hold = WaitTurn | WaitForBudget | TryLater | PlanAgain | Unclear | SearchAgain | AskPerson | StartAgain

Move = End | RunStarted | Adopt | Collect | Hold | StepBack
StartStep = Inquiry | Announce | Move
