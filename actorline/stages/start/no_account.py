"""A start on a worker that can't use the account of the job: it has no token of it, or another user's."""

from typing import Final

from actorline.errors import Reason
from actorline.jobs.fields import NOW
from actorline.jobs.states import Event
from actorline.jobs.step import Step, Stop
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.accounts import is_known
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.stages.ending import end_job
from actorline.stages.start.moves import START_HOLD_SECS, start_hold_s
from actorline.stages.start.start_run import Startable

ACCOUNT_TRIES: Final = 20  # a quarter of an hour: workers that are replaced don't all have an account's token


def refuse_start(ledger: Ledger, startable: Startable, reason: Reason) -> Step:
    """Leave a job that can't be started from here to a worker that can, or end it if none ever could.

    Its run may be running already: then the job is left alone.
    """
    job, runs = startable
    if job.intent is not None or runs:
        ledger.change(
            job.key,
            Change(
                due_in_s=START_HOLD_SECS[-1],
                event=TimelineEvent.START_UNCLEAR,
                data={"message": reason.message},
                fields={"is_planned": True},
            ),
            epoch=job.epoch,
        )
        return Stop()
    waits_for_it = job.waiting_for == reason.code  # else a worker that can use the account has had the job since
    failures = job.account_failures if waits_for_it else 0
    if not is_known(ledger, job.document.account) or failures >= ACCOUNT_TRIES:
        return end_job(ledger, job, Event.FAIL, reason)
    ledger.move(
        job,
        Event.HOLD,
        Change(
            due_in_s=start_hold_s(failures),
            event=None if waits_for_it else TimelineEvent.WAITING,
            data={"code": reason.code, "message": reason.message},
            fields={
                "is_planned": True,
                "account_failures": failures + 1,
                "waiting_for": reason.code,
                "waiting_since": job.waiting_since if waits_for_it else NOW,
                "waiting_until": None,
            },
        ),
    )
    return Stop()
