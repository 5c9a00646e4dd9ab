"""What a guard and `stop_when` need of the rest of a document: what can't be done is refused, never ignored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actorline.jobs.document.collect import Collect
    from actorline.jobs.document.guard import Guard, StopWhen
    from actorline.jobs.document.job_document import JobDocument

READ_FORMATS: Final = ("jsonl", "json", "parquet")
"""The formats whose pages come as JSON lines: a cell of csv has no type, and a table no rows."""


def guard_problem(document: JobDocument) -> str | None:
    """Return why the document's rows can't be guarded as it says; None: they can, or there is nothing to guard."""
    guard, stop_when = document.guard, document.stop_when
    if guard and (problem := _unread(document) or _misses_run(document, guard) or _impossible(document, guard)):
        return f"guard: {problem}"
    if stop_when and (problem := _unread(document) or _never_stops(document, stop_when)):
        return f"stop_when: {problem}"
    return None


def _unread(document: JobDocument) -> str | None:
    """Return why no row is read, or not before the run's end."""
    collect = document.collect
    if not collect.dataset:
        return "needs rows, and collect.dataset is false"
    if collect.format not in READ_FORMATS:
        return f"reads rows of {', '.join(READ_FORMATS)}, and collect.format is {collect.format}: choose one of these"
    if document.mode == "sync":
        return 'needs mode "async": a synchronous start shows no row before the run has ended'
    return None


def _misses_run(document: JobDocument, guard: Guard) -> str | None:
    """Return what the guard needs of a run that this document doesn't give it."""
    if document.dataset_id and (guard.max_usd_per_1000 or guard.silent_secs):
        return "max_usd_per_1000 and silent_secs need a run, and dataset_id has none"
    if document.run_id and not document.own and guard.on_violation == "abort":
        return 'may not abort a run that was taken over: set own: true, or on_violation: "report"'
    if guard.silent_secs and (why := _reads_late(document.collect)):
        return f"silent_secs needs rows that are read while the run is running, and {why}"
    return None


def _impossible(document: JobDocument, guard: Guard) -> str | None:
    """Return which rule no row can ever keep, because of what is collected, or because of `stop_when`."""
    collect, stop_when = document.collect, document.stop_when
    if guard.min_items and collect.limit and collect.limit < guard.min_items:
        return f"min_items is {guard.min_items:,}, and collect.limit fetches {collect.limit:,} at most"
    if guard.min_items and stop_when and stop_when.items and stop_when.items < guard.min_items:
        return f"min_items is {guard.min_items:,}, and stop_when.items stops the run at {stop_when.items:,}"
    return lost_path(collect, guard.paths)


def _never_stops(document: JobDocument, stop_when: StopWhen) -> str | None:
    collect = document.collect
    if document.dataset_id:
        return "needs a run to stop, and dataset_id has none: collect.limit fetches fewer rows"
    if document.run_id and not document.own:
        return "may not stop a run that was taken over: set own: true"
    if why := _reads_late(collect):
        return f"needs rows that are read while the run is running, and {why}"
    return _never_reached(document, stop_when) or lost_path(collect, stop_when.matches or ())


def _never_reached(document: JobDocument, stop_when: StopWhen) -> str | None:
    collect, most = document.collect, document.options.max_total_charge_usd
    if stop_when.unique and not (document.guard and document.guard.unique):
        return "unique counts the keys that guard.unique names, and that isn't given"
    if stop_when.items and collect.limit and collect.limit < stop_when.items:
        return f"items is {stop_when.items:,}, and collect.limit fetches {collect.limit:,} at most"
    if stop_when.unique and collect.limit and collect.limit < stop_when.unique:
        return f"unique is {stop_when.unique:,}, and collect.limit fetches {collect.limit:,} rows at most"
    if stop_when.usd and most and most < stop_when.usd:
        return f"usd is {stop_when.usd:g}, and options.max_total_charge_usd ends the run at {most:g}"
    return None


def _reads_late(collect: Collect) -> str | None:
    if collect.desc:
        return "collect.desc reads them after its end"
    return None if collect.while_running else "collect.while_running is false"


def lost_path(collect: Collect, paths: Iterable[str]) -> str | None:
    """Return which path leads to a field that isn't collected. What a view or `unwind` leaves isn't known here."""
    kept = collect.output_fields or collect.fields
    for path in paths:
        if any(_is_part(path, name) for name in collect.omit):
            return f"{path} is left out by collect.omit"
        if (collect.clean or collect.skip_hidden) and path.startswith("#"):
            return f"{path} is hidden, and collect leaves hidden fields out"
        is_kept = any(_is_part(path, name) or _is_part(name, path) for name in kept)
        if kept and not is_kept and not (collect.view or collect.unwind):
            return f"{path} is not among collect.{'output_fields' if collect.output_fields else 'fields'}"
    return None


def _is_part(path: str, of: str) -> bool:
    return path == of or path.startswith(f"{of}.")
