"""`batch`, and `run --inputs`: many inputs as one order, from the order to its rows."""

from typing import Any

import typer

from actorline.batches.document import BatchDocument, parse_batch
from actorline.batches.estimate import estimate_batch
from actorline.batches.inputs.listed import listed_inputs
from actorline.batches.submit import submit_batch
from actorline.cli.attach import AttachedStack, attach
from actorline.cli.ordering.estimate import print_estimate
from actorline.cli.ordering.follow_batch import found_batch, print_batch, wait_for_batch
from actorline.cli.ordering.run import with_default_sink
from actorline.cli.ordering.with_workers import with_workers
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import say
from actorline.cli.terminal.progress import Interrupts
from actorline.errors import Code, Refused
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.admission.pause import is_paused
from actorline.messages import wake_workers
from actorline.settings import Settings, load_settings


def batch(order: dict[str, Any], *, dry_run: bool, as_json: bool, no_wait: bool, keep: bool) -> None:
    settings = load_settings()
    document = parse_batch(with_default_sink(order, settings))
    listed_inputs(document)  # a bad one is refused before anything is brought up
    if dry_run:
        with attach(settings, workers=False) as stack:
            found = estimate_batch(document, ledger=stack.ledger, settings=settings, trusted=True, sender=FROM_TERMINAL)
        print_estimate(found, as_json=as_json)
        return

    def order_and_wait(stack: AttachedStack, interrupts: Interrupts) -> Exit:
        return _order_and_wait(document, settings, stack, interrupts, as_json=as_json, no_wait=no_wait, keep=keep)

    raise typer.Exit(with_workers(settings, order_and_wait, what="batch", no_wait=no_wait))


def _order_and_wait(
    document: BatchDocument,
    settings: Settings,
    stack: AttachedStack,
    interrupts: Interrupts,
    *,
    as_json: bool,
    no_wait: bool,
    keep: bool,
) -> Exit:
    if is_paused(stack.ledger, document.account):
        raise Refused(
            Code.PAUSED, "Paid runs are paused. Nothing was ordered. Start them again with `actorline resume`."
        )
    taken = submit_batch(document, ledger=stack.ledger, settings=settings, trusted=True, sender=FROM_TERMINAL)
    wake_workers(settings, [taken.key])
    if not taken.created:
        again = f" To run what isn't delivered: actorline retry {taken.key}"
        way_on = again if taken.state in TERMINAL - {State.DELIVERED} else ""
        say(f"{taken.key} already exists ({taken.state}): joined, nothing new is started.{way_on}")
    if no_wait:
        print_batch(found_batch(stack.ledger, taken.key), as_json=as_json)
        return Exit.DELIVERED
    return wait_for_batch(taken.key, settings, stack, interrupts, as_json=as_json, keep=keep)
