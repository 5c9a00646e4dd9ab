"""Times and facts of jobs as people read them, and all filters of the templates."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup, escape

from actorline.gateway.pages.presentation.contract import contract, enough
from actorline.gateway.pages.presentation.next_step import first_sentence, next_step
from actorline.jobs.job import Job
from actorline.jobs.states import LIVE
from actorline.story.number_words import age, counted, duration, number, size, usd
from actorline.story.sender_words import sender_words


def moment(unix_seconds: float) -> str:
    """Return `2026-11-28 14:05:08 UTC`."""
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(unix_seconds: float) -> str:
    return f"{datetime.fromtimestamp(unix_seconds, UTC):%H:%M:%S}"


def iso(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat(timespec="milliseconds")


def cost(job: Job) -> str:
    """Return what the job's runs cost so far; a job that never had a run costs nothing."""
    if job.total_cost_usd is None and job.run.id is None:
        return "none"
    return usd(job.total_cost_usd) or "unknown"


def progress(job: Job) -> float | None:
    """Return how much of the job's rows is stored, 0 to 1; None while nobody knows."""
    total = job.collection.items_total
    if job.state not in LIVE or not total:
        return None
    ordered = max(total - job.document.collect.offset, 1)
    ordered = min(ordered, job.document.collect.limit or ordered)
    return min(job.collection.scanned / ordered, 1.0)


def target(job: Job) -> str:
    """Return what is run or collected: an Actor by its name, anything else with its kind."""
    kind, name = job.document.target
    return name if kind == "actor" else f"{kind.replace('_', ' ')} {name}"


def capitalize_first(text: str) -> str:
    """Return the text with a capital at its beginning, the rest as it is."""
    return text[:1].upper() + text[1:]


def with_commands(text: str) -> Markup:
    """Return the text with what is between backticks as code; all of it is escaped."""
    return Markup(_COMMAND.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - nothing but the marks is added


_COMMAND: Final = re.compile(r"`([^`\n]+)`")
FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "age": age,
    "duration": duration,
    "usd": usd,
    "number": number,
    "size": size,
    "moment": moment,
    "clock": clock,
    "iso": iso,
    "cost": cost,
    "contract": contract,
    "enough": enough,
    "progress": progress,
    "counted": counted,
    "capitalize_first": capitalize_first,
    "first_sentence": first_sentence,
    "next_step": next_step,
    "with_commands": with_commands,
    "target": target,
    "sender": sender_words,
}
