"""What a job's rows must be like, and when there are enough of them, in a few words."""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final

from actorline.jobs.document.guard import Guard, StopWhen
from actorline.story.number_words import counted, duration

MOST_NAMES: Final = 5


def contract(guard: Guard) -> str:
    """Return `price, url in each row; url unique; at least 100 rows`."""
    reported = " (only reported)" if guard.on_violation == "report" else ""
    return "; ".join(_rules(guard)) + reported


def _rules(guard: Guard) -> Iterator[str]:
    if guard.required:
        yield f"{_names(guard.required)} in each row"
    if guard.types:
        yield _names([f"{path}: {type_}" for path, type_ in guard.types.items()])
    if guard.unique:
        yield f"{_names(guard.unique)} unique{' together' if len(guard.unique) > 1 else ''}"
    if guard.min_items:
        yield f"at least {counted(guard.min_items, 'row')}"
    if guard.max_usd_per_1000:
        yield f"at most ${guard.max_usd_per_1000:g} for 1,000 rows"
    if guard.silent_secs:
        yield f"a new row every {duration(guard.silent_secs)}"


def enough(stop_when: StopWhen, guard: Guard | None) -> str:
    """Return `30,000 rows, or $2, or a row with the last that was ordered`."""
    return ", or ".join(_stops(stop_when, guard))


def _stops(stop_when: StopWhen, guard: Guard | None) -> Iterator[str]:
    if stop_when.items:
        yield counted(stop_when.items, "row")
    if stop_when.unique and guard:
        yield f"{stop_when.unique:,} different {_names(guard.unique)}"
    if stop_when.usd:
        yield f"${stop_when.usd:g}"
    if stop_when.matches:
        yield f"a row with the {_names(stop_when.matches)} that was ordered"


def _names(names: Collection[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(islice(names, MOST_NAMES)) + (f" and {more:,} more" if more > 0 else "")
