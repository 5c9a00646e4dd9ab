"""`verify`: checks a delivery against its manifest."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from actorline.batches.batch import BatchResult
from actorline.batches.delivery import BatchDelivery, open_batch
from actorline.batches.manifest import read_manifest
from actorline.batches.verify import verify_batch
from actorline.cli.attach import attach
from actorline.cli.jobs import find_any
from actorline.cli.rows import nothing_delivered, rows_again
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import err, out, print_json
from actorline.delivery.read_back import DamagedDelivery, Delivery, NoDelivery, open_delivery
from actorline.delivery.sink import MANIFEST, SinkError, open_sink
from actorline.delivery.verify import DeliveryProblem
from actorline.delivery.verify import verify as verify_delivery
from actorline.errors import Code, Reason, Refused
from actorline.jobs.delivered import open_delivered
from actorline.jobs.job import Job
from actorline.settings import load_settings
from actorline.story.number_words import counted


@dataclass(frozen=True)
class Verifiable:
    """A delivery of a job or a batch. `check`: see `verify` in `delivery/verify.py`. `deliveries`: 1 of a job; of a
    batch, how many of its members delivered something, as its manifest says.
    """

    name: str
    size_bytes: int
    is_complete: bool
    reason: Reason | None
    totals: Mapping[str, Any]
    check: Callable[[Callable[[int], None]], Iterator[DeliveryProblem]]
    deliveries: Callable[[], int] = lambda: 1
    dataset_id: str | None = None


def verify(target: str, *, as_json: bool) -> None:
    url, open_it = _find(target)
    delivery: Verifiable | None = None
    problems = []
    try:
        delivery = open_it()
        with _bar(delivery) as progress:
            bar = progress.add_task("verify", total=delivery.size_bytes)
            for problem in delivery.check(lambda size: progress.advance(bar, size)):
                problems.append(problem)
                _print_problem(problem, as_json=as_json)
    except NoDelivery as error:
        raise Refused(Code.UNKNOWN_KEY, str(error)) from error
    except DamagedDelivery as error:
        problems.append(DeliveryProblem(MANIFEST, str(error)))
        _print_problem(problems[-1], as_json=as_json)
    except SinkError as error:
        raise Refused(Code.SINK_FAILED, str(error)) from error
    raise typer.Exit(_conclude(url, delivery, len(problems), as_json=as_json))


def _find(target: str) -> tuple[str, Callable[[], Verifiable]]:
    """Return the URL of a delivery, and a function that opens it. Keys have no slash.

    Raises Refused for a key that is unknown or has delivered nothing.
    """
    if "/" in target:
        url = target if "://" in target else Path(target).expanduser().absolute().as_uri()
        return url, lambda: _of_folder(url)
    with attach(load_settings(), workers=False) as stack:
        found = find_any(stack.ledger, target)
    if found.manifest is None:
        raise nothing_delivered(found)
    if isinstance(found, Job):
        return found.manifest, lambda: _of_job(open_delivered(found))
    return found.manifest, lambda: _of_batch(open_batch(BatchResult.of(found)))


def _of_folder(url: str) -> Verifiable:
    """Return the delivery in a folder, of whichever kind."""
    folder = url.removesuffix(MANIFEST)
    batch = read_manifest(open_sink(folder))
    return _of_batch(BatchDelivery(batch)) if batch else _of_job(open_delivery(url))


def _of_job(delivery: Delivery) -> Verifiable:
    manifest = delivery.manifest
    return Verifiable(
        name=manifest.job,
        size_bytes=sum(entry.bytes for entries in (manifest.parts, manifest.records) for entry in entries),
        is_complete=manifest.complete,
        reason=manifest.reason,
        totals=manifest.totals.model_dump(),
        check=partial(verify_delivery, delivery),
        dataset_id=manifest.dataset_id,
    )


def _of_batch(delivery: BatchDelivery) -> Verifiable:
    head, tail = delivery.manifest.head, delivery.manifest.tail
    return Verifiable(
        name=head.batch,
        size_bytes=tail.totals.bytes,
        is_complete=tail.complete,
        reason=tail.reason,
        totals=tail.totals.model_dump(),
        check=partial(verify_batch, delivery),
        deliveries=delivery.manifest.count_deliveries,
    )


def _bar(delivery: Verifiable) -> Progress:
    columns = (TextColumn(f"{escape(delivery.name)}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _print_problem(problem: DeliveryProblem, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(problem))
    else:
        out.print(escape(f"{problem.file}: {problem.text}"))


def _conclude(url: str, delivery: Verifiable | None, problems: int, *, as_json: bool) -> Exit:
    if problems or delivery is None:
        verdict, code = "damaged", Exit.FAILED
    elif delivery.is_complete:
        verdict, code = "whole", Exit.DELIVERED
    else:
        verdict, code = "partial", Exit.PARTIAL
    if as_json:
        totals = delivery.totals if delivery else None
        deliveries = delivery.deliveries() if delivery and not problems else None
        print_json({"verdict": verdict, "url": url, "problems": problems, "totals": totals, "deliveries": deliveries})
        return code
    shown = {"damaged": "[red]damaged[/]", "whole": "[green]whole[/]", "partial": "[yellow]partial[/]"}[verdict]
    out.print(f"{shown} {escape(url)}: {_summary(delivery, problems)}")
    if delivery and delivery.reason:
        out.print(f"  {escape(delivery.reason.message)}")
    if problems and delivery and (again := rows_again(delivery.dataset_id)):
        out.print(f"  {again}")
    return code


def _summary(delivery: Verifiable | None, problems: int) -> str:
    if problems or delivery is None:
        return counted(problems, "problem")
    totals = delivery.totals
    of = counted(totals["parts"], "file") if "parts" in totals else counted(delivery.deliveries(), "member")
    said = f"{counted(totals['items'], 'row')} in {of}, {counted(totals['records'], 'record')}"
    return said if delivery.is_complete else f"{said}; all listed files are intact, but the delivery is incomplete"
