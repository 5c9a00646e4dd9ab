"""Refusals name the fields of a document; whoever gave options reads which of them these are."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from actorline.errors import Code, Refused

OPTIONS: Final[Mapping[str, str]] = {
    "guard.required": "--require",
    "guard.unique": "--unique",
    "stop_when.items": "--stop-after",
    "delta.key": "--changes-key",
    "delta.base": "--changes-since",
    "collect.format": "--format",
    "collect.records": "--record",
    "sink.url": "--out",
    "deadline_secs": "--deadline",
    "options.memory_mbytes": "--memory",
    "options.timeout_secs": "--timeout",
    "options.build": "--build",
    "options.max_items": "--max-items",
    "options.max_total_charge_usd": "--max-usd",
    'mode "async"': "the default, without --sync",
}


@contextmanager
def fields_named_as_options() -> Iterator[None]:
    """Say of a refused document by which options its fields were given, or can be given."""
    try:
        yield
    except Refused as error:
        named = [f"{field} is {option}" for field, option in OPTIONS.items() if field in str(error)]
        if error.reason.code is not Code.DOCUMENT_INVALID or not named:
            raise
        raise Refused(Code.DOCUMENT_INVALID, f"{error} On the command line {', '.join(named)}.") from error
