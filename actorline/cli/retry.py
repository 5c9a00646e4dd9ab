"""`retry`: retries ended jobs."""

from collections.abc import Mapping, Sequence
from typing import Final

import typer

from actorline.batches.batch import Batch
from actorline.batches.find import retry_any
from actorline.batches.retry import plan_of_batch
from actorline.cli.attach import NOTHING_STARTED, attach, check_running
from actorline.cli.jobs import find_selected
from actorline.cli.ordering.follow_batch import wait_for_batch
from actorline.cli.selection import Selection
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import print_json, say
from actorline.cli.terminal.progress import Interrupts
from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import TERMINAL, State
from actorline.messages import wake_workers
from actorline.orders.retry import RetryPlan, plan_retry
from actorline.settings import load_settings

RETRIED: Final = tuple(state for state in State if state in TERMINAL and state is not State.DELIVERED)


def retry(keys: list[str], wanted: Selection, *, dry_run: bool, agreed: bool, no_wait: bool, as_json: bool) -> None:
    """Retry what is named, or the selected jobs that aren't delivered. `agreed`: to further paid runs of those."""
    from actorline.cli.ordering.run import wait_for_end

    wanted.check(keys)
    agreed = agreed or bool(keys)
    settings = load_settings()
    if dry_run or not keys:
        # workers would also start what others have ordered
        with attach(settings, workers=False, undone=NOTHING_STARTED) as stack:
            plans = _plans(find_selected(stack.ledger, keys, wanted, RETRIED))
        if not plans:
            say("Nothing to retry: no such job has ended without being delivered.")
            return
        if dry_run or not agreed:
            _show(plans, as_json=as_json and dry_run)
        if dry_run:
            return
        _check_agreed(plans, agreed=agreed)
    if no_wait:
        check_running(
            settings, "No stack is running that would run the jobs. Nothing was started. Start one: actorline up."
        )
    with Interrupts() as interrupts, attach(settings, workers=True) as stack:
        found = find_selected(stack.ledger, keys, wanted, RETRIED)
        plans = _plans(found)
        if agreed:
            _show(plans, as_json=False)
        _check_agreed(plans, agreed=agreed)
        for key in plans:
            retry_any(stack.ledger, key, sender=FROM_TERMINAL)
        wake_workers(settings, list(plans))
        if no_wait:
            return
        codes = [
            (wait_for_end if isinstance(each, Job) else wait_for_batch)(
                each.key, settings, stack, interrupts, as_json=as_json
            )
            for each in found
        ]
    raise typer.Exit(next((code for code in codes if code), Exit.DELIVERED))


def _plans(found: Sequence[Job | Batch]) -> Mapping[JobKey, RetryPlan]:
    return {each.key: plan_retry(each) if isinstance(each, Job) else plan_of_batch(each) for each in found}


def _show(plans: Mapping[JobKey, RetryPlan], *, as_json: bool) -> None:
    for key, plan in plans.items():
        if as_json:
            print_json({"key": key, "pays": plan.pays, "plan": plan.text})
        else:
            say(f"{key}: {plan.text}")


def _check_agreed(plans: Mapping[JobKey, RetryPlan], *, agreed: bool) -> None:
    """Refuse to start paid runs of jobs that nobody named, unless the person agreed."""
    paid = sum(plan.pays for plan in plans.values())
    if paid and not agreed:
        raise Refused(
            Code.REQUEST_INVALID,
            f"{paid:,} of them would start another paid run. Nothing was started: give --yes if you agree.",
        )
