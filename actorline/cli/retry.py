"""`retry`: retries ended jobs."""

import typer

from actorline.batches.find import retry_any
from actorline.batches.retry import plan_of_batch
from actorline.cli.attach import attach, wait_until_gone
from actorline.cli.follow_batch import wait_for_batch
from actorline.cli.jobs import find_any
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import print_json, say
from actorline.cli.terminal.progress import Interrupts
from actorline.errors import Code, Refused
from actorline.jobs.job import Job
from actorline.jobs.sender import FROM_TERMINAL
from actorline.messages import wake_workers
from actorline.orders.retry import plan_retry
from actorline.settings import load_settings


def retry(keys: list[str], *, dry_run: bool, no_wait: bool, as_json: bool) -> None:
    from actorline.cli.run import wait_for_end

    settings = load_settings()
    with Interrupts() as interrupts:
        with attach(settings, workers=not dry_run) as stack:
            found = [find_any(stack.ledger, key) for key in keys]
            plans = {each.key: plan_retry(each) if isinstance(each, Job) else plan_of_batch(each) for each in found}
            for key, plan in plans.items():
                if as_json and dry_run:
                    print_json({"key": key, "pays": plan.pays, "plan": plan.text})
                else:
                    say(f"{key}: {plan.text}")
            if dry_run:
                return
            if no_wait and stack.brought_up:
                message = "No stack is running that would run the jobs. Nothing was started. Start one: actorline up."
                raise Refused(Code.REDIS_UNAVAILABLE, message)
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
        if stack.brought_up:
            wait_until_gone(settings)
    raise typer.Exit(next((code for code in codes if code), Exit.DELIVERED))
