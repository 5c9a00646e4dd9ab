"""`verify`: checks a delivery against its manifest."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from actorline.cli.attach import attach
from actorline.cli.jobs import find
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import counted, err, out, print_json
from actorline.delivery.manifest import Manifest
from actorline.delivery.read_back import DamagedDelivery, Delivery, NoDelivery, open_delivery
from actorline.delivery.sink import MANIFEST, SinkError
from actorline.delivery.verify import DeliveryProblem
from actorline.delivery.verify import verify as verify_delivery
from actorline.errors import Code, Refused
from actorline.jobs.delivered import open_delivered
from actorline.settings import load_settings


def verify(target: str, *, as_json: bool) -> None:
    url, open_it = _find(target)
    delivery: Delivery | None = None
    problems = []
    try:
        delivery = open_it()
        with _bar(delivery) as progress:
            bar = progress.add_task("verify", total=_bytes_of(delivery))
            for problem in verify_delivery(delivery, lambda size: progress.advance(bar, size)):
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


def _find(target: str) -> tuple[str, Callable[[], Delivery]]:
    """Return the URL of a delivery, and a function that opens it. Keys have no slash.

    Raises Refused for a key that is unknown or has delivered nothing.
    """
    if "/" in target:
        url = target if "://" in target else Path(target).expanduser().absolute().as_uri()
        return url, partial(open_delivery, url)
    with attach(load_settings(), workers=False) as stack:
        job = find(stack.ledger, target)
    if job.manifest is None:
        message = f"{target} is {job.state} and has delivered nothing. See why: actorline show {target}"
        raise Refused(Code.UNKNOWN_KEY, message)
    return job.manifest, partial(open_delivered, job)


def _bar(delivery: Delivery) -> Progress:
    columns = (TextColumn(f"{escape(delivery.manifest.job)}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def _bytes_of(delivery: Delivery) -> int:
    manifest = delivery.manifest
    return sum(entry.bytes for entries in (manifest.parts, manifest.records) for entry in entries)


def _print_problem(problem: DeliveryProblem, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(problem))
    else:
        out.print(escape(f"{problem.file}: {problem.text}"))


def _conclude(url: str, delivery: Delivery | None, problems: int, *, as_json: bool) -> Exit:
    manifest = delivery.manifest if delivery else None
    if problems or manifest is None:
        verdict, code = "damaged", Exit.FAILED
    elif manifest.complete:
        verdict, code = "whole", Exit.DELIVERED
    else:
        verdict, code = "partial", Exit.PARTIAL
    if as_json:
        totals = manifest.totals.model_dump() if manifest else None
        print_json({"verdict": verdict, "url": url, "problems": problems, "totals": totals})
        return code
    shown = {"damaged": "[red]damaged[/]", "whole": "[green]whole[/]", "partial": "[yellow]partial[/]"}[verdict]
    out.print(f"{shown} {escape(url)}: {_summary(manifest, problems)}")
    if manifest and manifest.reason:
        out.print(f"  {escape(manifest.reason.message)}")
    if problems and manifest and manifest.dataset_id:
        again = f"actorline run --dataset-id {manifest.dataset_id}"
        out.print(f"  While the platform still has them, the rows can be fetched again without another run: {again}")
    return code


def _summary(manifest: Manifest | None, problems: int) -> str:
    if problems or manifest is None:
        return counted(problems, "problem")
    totals = manifest.totals
    said = f"{counted(totals.items, 'row')} in {counted(totals.parts, 'file')}, {counted(totals.records, 'record')}"
    return said if manifest.complete else f"{said}; all listed files are intact, but the delivery is incomplete"
