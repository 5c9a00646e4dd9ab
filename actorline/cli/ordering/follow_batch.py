"""A batch in the terminal: followed to its end, stopped, and printed.

What a batch is gets loaded where there is one: most ledgers have none, and no command should wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import redis
from rich.markup import escape

from actorline.cli.attach import AttachedStack
from actorline.cli.terminal.exits import Exit, exit_of_result
from actorline.cli.terminal.output import coloured, err, out, print_json, say
from actorline.cli.terminal.progress import Interrupts, come_back, lost_redis
from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.sender import FROM_TERMINAL
from actorline.ledger.ledger import Ledger
from actorline.messages import wake_workers
from actorline.settings import Settings
from actorline.story.number_words import counted

if TYPE_CHECKING:
    from actorline.batches.batch import Batch

BATCH_LOOK_SECS: Final = 0.25
BATCHES_SHOWN: Final = 20
BATCHES_SEEN: Final = 10_000


def wait_for_batch(
    key: JobKey, settings: Settings, stack: AttachedStack, interrupts: Interrupts, *, as_json: bool, keep: bool = False
) -> Exit:
    """Follow a batch to its end and print its result; an interrupt stops it, unless `keep` is set."""
    from actorline.batches.batch import BatchResult

    found = _follow(stack.ledger, key, interrupts, shown=not as_json)
    if found.is_terminal:
        print_batch(found, as_json=as_json)
        return exit_of_result(BatchResult.of(found))
    if keep:
        say(f"Interrupted. The batch was not stopped, and its runs may be billing. {come_back(key, stack.command)}")
        return Exit.INTERRUPTED
    say("Interrupted: stopping, and waiting until the platform reports that nothing is running.")
    _stop(stack.ledger, settings, key)
    found = _follow(stack.ledger, key, interrupts, shown=not as_json, until=2)
    if found.is_terminal:
        print_batch(found, as_json=as_json)
    else:
        say(f"Still being stopped: {counted(found.live, 'run')}. {come_back(key, stack.command)}")
    return Exit.INTERRUPTED


def stop_batches(ledger: Ledger, settings: Settings, batches: Sequence[Batch]) -> None:
    """Cancel the batches. Before their members are: a batch whose members alone are stopped makes further ones."""
    for batch in batches:
        if not _stop(ledger, settings, batch.key):
            say(f"{batch.key} has already ended: nothing was stopped.")


def follow_batch(ledger: Ledger, batch: Batch, interrupts: Interrupts, *, as_json: bool) -> Batch:
    """Return the batch as it is at its end, or at an interrupt."""
    return _follow(ledger, batch.key, interrupts, shown=not as_json)


def _stop(ledger: Ledger, settings: Settings, key: JobKey) -> bool:
    from actorline.batches.cancel import cancel_batch

    asked = cancel_batch(ledger, key, sender=FROM_TERMINAL)
    if asked:
        wake_workers(settings, [key])
    return asked


def _follow(ledger: Ledger, key: JobKey, interrupts: Interrupts, *, shown: bool, until: int = 1) -> Batch:
    """Show the batch until it has ended, or until interrupt number `until`."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(escape(key)),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
    )
    disabled = not (shown and err.is_terminal)
    with Progress(*columns, console=err, transient=True, disable=disabled) as progress:
        bar = progress.add_task("batch", total=None, said="")
        while True:
            try:
                found = found_batch(ledger, key)
                said = _said(found, ledger.now())
            except redis.RedisError as error:
                raise lost_redis([key], [], error) from error
            progress.update(bar, total=found.inputs, completed=sum(found.ended.values()), said=said)
            if found.is_terminal or interrupts.count >= until:
                return found
            interrupts.sleep(BATCH_LOOK_SECS)


def _said(batch: Batch, now: float) -> str:
    from actorline.batches.batch import BatchProgress

    pace = BatchProgress.of(batch, now)
    left = f", {pace.eta_secs:,.0f} s left" if pace.eta_secs else ""
    cost = "" if pace.cost_usd is None else f", ${pace.cost_usd:.4f}"
    return f"{batch.state}, {counted(batch.items, 'item')}{cost}{left}"


def found_batch(ledger: Ledger, key: JobKey) -> Batch:
    found = load_if_batch(ledger, key)
    if found is None:
        raise Refused(Code.UNKNOWN_KEY, f"No batch has the key {key}.")
    return found


def load_if_batch(ledger: Ledger, key: JobKey) -> Batch | None:
    """Return the batch with the key; None: there is none."""
    from actorline.batches.batch import load_batch

    return load_batch(ledger, key)


def running_batches(ledger: Ledger, among: int = BATCHES_SHOWN) -> list[Batch]:
    """Return those of the newest batches that haven't ended."""
    found = (load_if_batch(ledger, key) for key in ledger.batches.newest(among))
    return [batch for batch in found if batch and not batch.is_terminal]


def print_batch(batch: Batch, *, as_json: bool, extra: Mapping[str, Any] | None = None) -> None:
    from actorline.batches.batch import BatchResult

    result = BatchResult.of(batch)
    if as_json:
        print_json({**result.model_dump(mode="json"), **(extra or {})})
        return
    unread = "its inputs were not read" if batch.is_terminal else "inputs are being read"
    inputs = unread if result.inputs is None else counted(result.inputs, "input")
    members = ", ".join(f"{count:,} {state}" for state, count in result.members.items() if count)
    cost = "cost unknown" if result.cost_usd is None else f"${result.cost_usd:.4f}"
    out.print(f"{coloured(result.state)} {escape(result.key)}: {inputs}, {counted(result.items, 'item')}, {cost}")
    if members:
        out.print(f"  members: {members}")
    if result.reason:
        out.print(f"  {escape(result.reason.message)}")
    if result.manifest and result.sink:
        out.print(f"  rows: {escape(result.sink)}")
