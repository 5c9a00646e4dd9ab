"""`retry`: an ended job once more."""

import typer

from actorline.cli.jobs import AsJson, Key
from actorline.cli.run import wait_for_end
from actorline.cli.stack import attach, wait_until_gone
from actorline.cli.watching import Interrupts
from actorline.jobs.messages import wake_workers
from actorline.jobs.retrying import retry_job
from actorline.jobs.sender import FROM_TERMINAL
from actorline.settings import load_settings


def retry(key: Key, as_json: AsJson = False) -> None:
    """Try an ended job again from the cheapest point: only the rows that are missing, else another paid run."""
    settings = load_settings()
    with Interrupts() as interrupts:
        with attach(settings, workers=True) as stack:
            retry_job(stack.ledger, key, sender=FROM_TERMINAL)
            wake_workers(settings, [key])
            code = wait_for_end(key, settings, stack, interrupts, as_json=as_json)
        if stack.brought_up:
            wait_until_gone(settings)
    raise typer.Exit(code)
