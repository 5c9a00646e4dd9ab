"""An input that is stored elsewhere, read in one of the places for calls to servers that orders name."""

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from actorline.errors import Code, Reason
from actorline.identifiers import ExecutionToken, JobKey
from actorline.jobs.job import Job
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.admission.outside_places import PLACE_WAIT_SECS, NoPlaceFree, OutsidePlaces, PlaceTaken
from actorline.ledger.ledger import Ledger
from actorline.settings import Settings
from actorline.stages.start.run_input import RunInput, UnreadableInput, fetch_input
from actorline.stages.start.steps import PlanAgain, Refuse, StepBack, TryLater

INPUT_TRIES: Final = 8  # four minutes with the stage's back-off between them
INPUT_WAITS: Final = (
    "The limit of inputs being read from its host, or for its account, is reached: this one waits for its turn."
)


def read_input(
    ledger: Ledger, settings: Settings, job: Job, url: str, *, wake: Callable[[Sequence[JobKey]], None]
) -> RunInput | Refuse | TryLater | PlanAgain | StepBack:
    """Return the input; or, if it isn't there yet or never will be, what the job does instead."""
    try:
        with OutsidePlaces.of(ledger, settings, wake).held(job, url, ExecutionToken(secrets.token_hex(8))) as place:
            return fetch_input(job.document, settings, place)
    except PlaceTaken:
        return StepBack()
    except NoPlaceFree:
        return PlanAgain(PLACE_WAIT_SECS, event=TimelineEvent.INPUT_WAITS, message=INPUT_WAITS)
    except UnreadableInput as error:
        message = f"The input can't be read: {error}. No run was started."
        reason = Reason(code=Code.INPUT_UNREADABLE, message=message, billed=False)
        if error.may_pass and job.input_failures < INPUT_TRIES:
            return TryLater(reason, input_failed=True)
        return Refuse(reason)
