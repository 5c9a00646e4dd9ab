"""A job's timeline in sentences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from actorline.jobs.timeline_event import LOG_BEGINS, TimelineEvent
from actorline.ledger.timeline import TimelineEntry
from actorline.story.number_words import counted, duration, usd
from actorline.story.sender_words import sender_words

Data = Mapping[str, Any]
ENDS: Final = {"failed": "It failed", "expired": "It expired"}


@dataclass(frozen=True)
class Sentence:
    """`at`: unix seconds; `lines`: what belongs below it, such as the end of a log; `is_bad`: something went wrong."""

    at: float
    text: str
    lines: Sequence[str] = ()
    is_bad: bool = False


BAD: Final = frozenset({
    TimelineEvent.STAGE_FAILED, TimelineEvent.PAGE_FAILED, TimelineEvent.START_UNCLEAR, TimelineEvent.POLL_FAILED,
    TimelineEvent.STRAY_RUN, TimelineEvent.NOTIFY_FAILED, TimelineEvent.NOTIFY_REFUSED, TimelineEvent.GUARD_BROKEN,
    TimelineEvent.RUN_AGAIN,
})  # fmt: skip


def sentences(entries: Sequence[TimelineEntry]) -> list[Sentence]:
    """Return a sentence for each entry, also for those of a newer version. Equal failures in a row share one, and so do
    pages that were fetched one after the other.
    """
    groups = [list(group) for _, group in groupby(entries, _alike)]
    return [_sentence(alike[0]) if len(alike) == 1 else _shared(alike) for alike in groups]


def _alike(entry: TimelineEntry) -> tuple[str, str]:
    match entry.event:
        case TimelineEvent.PAGE_FAILED:
            return entry.event, str(entry.data.get("message"))
        case TimelineEvent.FETCHING_AHEAD:
            return entry.event, ""
        case _:
            return entry.id, ""


def _shared(alike: Sequence[TimelineEntry]) -> Sentence:
    first, last = alike[0], alike[-1]
    if first.event == TimelineEvent.FETCHING_AHEAD:
        pages = sum(entry.data.get("pages", 0) for entry in alike)
        return Sentence(first.at, f"{_fetched_ahead(pages)}, in {duration(last.at - first.at)}")
    told = _sentence(first)
    return Sentence(first.at, f"{told.text} ({len(alike)} times)", told.lines, told.is_bad)


def _fetched_ahead(pages: int) -> str:
    return f"{counted(pages, 'full page')} fetched while the run is still running"


def _sentence(entry: TimelineEntry) -> Sentence:
    data = entry.data
    lines = next((list(map(str, value)) for value in data.values() if isinstance(value, list)), [])
    tell = _TEXTS.get(entry.event)
    is_bad = entry.event in BAD or (entry.event == TimelineEvent.ENDED and data.get("state") in {"FAILED", "EXPIRED"})
    return Sentence(entry.at, tell(data) if tell else _plain(entry.event, data), lines, is_bad)


def _plain(event: str, data: Data) -> str:
    """Return the words of an event that this version doesn't know."""
    facts = ", ".join(f"{name} {value}" for name, value in data.items() if isinstance(value, str | int | float))
    words = event.replace("-", " ")
    return words[:1].upper() + words[1:] + (f": {facts}" if facts else "")


def _who(data: Data) -> str:
    """Return ` over HTTP by the API key nightly`."""
    entrance = {
        "cli": "in the terminal",
        "http": "over HTTP",
        "celery": "with Celery",
        "beat": "by a schedule",
        "hook": "by a webhook",
        "upkeep": "by upkeep",
    }.get(str(data.get("door")), "")
    name = data.get("by") or data.get("user")
    return f" {entrance}" * bool(entrance) + f" by {sender_words(str(name))}" * bool(name)


def _after(text: str, message: object) -> str:
    return f"{text}: {message}" if message else text


def _run_known(data: Data) -> str:
    how = "was found" if data.get("found") else "started"
    return f"Its run {data.get('run_id')} {how}" + (
        f", attempt {data['attempt']}" if data.get("attempt", 1) > 1 else ""
    )


def _run_ended(data: Data) -> str:
    cost = f" and cost {usd(data['cost_usd'])}" if data.get("cost_usd") is not None else ""
    return f"The run ended {data.get('run_status')}{cost}"


def _stray_aborted(data: Data) -> str:
    cost = f"; it cost {usd(data['cost_usd'])}" if data.get("cost_usd") else ""
    return f"The run {data.get('run_id')}, which no job wanted, has ended{cost}"


def _so_far(data: Data) -> str:
    return f". So far the run has cost {usd(data['cost_usd'])}" if data.get("cost_usd") is not None else ""


def _ended(data: Data) -> str:
    if "reused" in data:
        saved = f", which had cost {usd(data['saved_usd'])}," if data.get("saved_usd") else ""
        return f"Delivered: the rows of {data['reused']}{saved} are reused, without a run"
    state = str(data.get("state")).lower()
    message = str(data.get("message") or "").partition(LOG_BEGINS)[0]  # its lines have an entry of their own
    return _after(ENDS.get(state, f"It is {state}"), message) + _changes(data)


def _changes(data: Data) -> str:
    """Return `; since the last delivery 3 rows were added, none removed, 12 changed`."""
    if "not_compared" in data:
        return f". What changed is not known: {data['not_compared']}"
    if "added" not in data:
        return ""
    told = f"; {data['added']:,} rows were added, {data['removed']:,} removed, {data['changed']:,} changed"
    without = data.get("without_key")
    return told + (f", and {counted(without, 'row')} {'has' if without == 1 else 'have'} no key" if without else "")


_TEXTS: Final[Mapping[str, Callable[[Data], str]]] = {
    TimelineEvent.QUEUED: lambda d: f"Ordered{_who(d)}",
    TimelineEvent.STARTING: lambda d: (
        "Asks the platform to start a run" + (f", attempt {d['attempt']}" if d.get("attempt", 1) > 1 else "")
    ),
    TimelineEvent.INPUTS_STORED: lambda d: (
        f"{counted(d.get('inputs', 0), 'input')} {'is' if d.get('inputs') == 1 else 'are'} stored"
    ),
    TimelineEvent.WAITING: lambda d: _after("Waits", d.get("message")),
    TimelineEvent.INPUT_WAITS: lambda d: _after("Waits for its input", d.get("message")),
    TimelineEvent.START_UNCLEAR: lambda d: _after("Nobody knows whether a run started", d.get("message")),
    TimelineEvent.START_NOT_FOUND: lambda d: _after("No run was found for the unclear start", d.get("message")),
    TimelineEvent.RUN_KNOWN: _run_known,
    TimelineEvent.RUN_STATUS: lambda d: f"The run is {d.get('run_status')}",
    TimelineEvent.RUN_ENDED: _run_ended,
    TimelineEvent.RUN_AGAIN: lambda d: _after(f"The run is {d.get('run_status')} again", d.get("message")),
    TimelineEvent.RUN_LOG: lambda _: "The end of the run's log",
    TimelineEvent.POLL_FAILED: lambda d: _after("The run couldn't be looked at", d.get("message")),
    TimelineEvent.NEW_RUN: lambda d: (
        f"The run ended {d.get('run_status')}: another one is started, attempt {d.get('attempt')}"
    ),
    TimelineEvent.RESURRECTING: lambda _: "Asks the platform to resurrect the run",
    TimelineEvent.RESURRECTED: lambda _: "The run is resurrected",
    TimelineEvent.RESURRECTION_UNCLEAR: lambda _: "Nobody knows whether the run was resurrected; it is looked at again",
    TimelineEvent.RESURRECTION_LOST: lambda d: (
        "No resurrection came of it" + (": it may be asked for again" if d.get("again") else "")
    ),
    TimelineEvent.RESURRECTION_REFUSED: lambda d: _after("The platform refused to resurrect the run", d.get("message")),
    TimelineEvent.ABORTING: lambda _: "The run is aborted",
    TimelineEvent.STRAY_RUN: lambda d: f"Another run, {d.get('run_id')}, was found that no job wants: it is aborted",
    TimelineEvent.STRAY_ABORTED: _stray_aborted,
    TimelineEvent.COLLECTING: lambda _: "The rows may be fetched",
    TimelineEvent.FETCHING: lambda d: (
        f"{counted(d.get('pages', 0), 'page')} of rows {'is' if d.get('pages') == 1 else 'are'} being fetched"
    ),
    TimelineEvent.FETCHING_AHEAD: lambda d: _fetched_ahead(d.get("pages", 0)),
    TimelineEvent.PAGE_FAILED: lambda d: _after(f"Page {d.get('page_no')} failed and is tried again", d.get("message")),
    TimelineEvent.RECORDS_WITHHELD: lambda d: _after("Records are withheld", d.get("message")),
    TimelineEvent.COMPARING: lambda d: (
        f"The rows are compared with those of {d['base']}" if d.get("base") else "There is no earlier delivery"
    ),
    TimelineEvent.STAGE_FAILED: lambda d: _after(
        _after(f"The step {d.get('stage', '')} failed and is tried again", d.get("error")), d.get("words")
    ),
    TimelineEvent.ENDED: _ended,
    TimelineEvent.FIGURES_SETTLED: lambda d: (
        ("The final cost of the last run is known" if d.get("run_id") else "The final cost is known")
        + (f": {usd(d['cost_usd'])}" if d.get("cost_usd") is not None else "")
    ),
    TimelineEvent.CANCEL_ASKED: lambda d: f"Cancelled{_who(d)}",
    TimelineEvent.GUARD_BROKEN: lambda d: f"The rows broke their contract: {d.get('message')}{_so_far(d)}",
    TimelineEvent.ENOUGH_ROWS: lambda d: f"There are enough rows: {d.get('message')}{_so_far(d)}",
    TimelineEvent.RETRIED: lambda d: f"Retried{_who(d)}",
    TimelineEvent.SCHEDULE_SKIPS: lambda d: f"{d.get('due')} was skipped, as this job was still running",
    TimelineEvent.NOTIFY_REFUSED: lambda d: _after("The notice was refused", d.get("message")),
    TimelineEvent.NOTIFY_FAILED: lambda d: _after("The notice could not be sent", d.get("message")),
    TimelineEvent.TASK_NOTIFIED: lambda d: f"The task {d.get('task')} was told of the end",
    TimelineEvent.URL_NOTIFIED: lambda _: "The notify URL was told of the end",
}
