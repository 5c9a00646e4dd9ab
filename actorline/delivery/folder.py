"""Several attempts in one folder: where each one's files lie, and which of them are in the way of the next.

The first attempt's rows and records lie at the top, those of attempt 2 in `attempt-2/`, so a worker that still writes
for an older attempt mixes nothing in. `manifest.json` and `_SUCCESS` are at the top. What a later end replaces is set
aside into `superseded-<retries>/`; nothing of a delivery is deleted. Only orders of a key that was forgotten meanwhile
share `superseded-0/`: the third takes the place of what the second put there. Pure: no I/O.
"""

import re
from collections.abc import Collection, Iterable
from typing import Final

from actorline.delivery.manifest import Manifest, changed_files
from actorline.delivery.sink.names import CHANGES_FILE, INDEX_FILE, RECORD_FILE, ROWS_FILE

_MADE: Final = re.compile(
    rf"(?P<folder>(?:attempt-(?P<attempt>[0-9]+)/)?)"
    rf"(?:{ROWS_FILE}|{CHANGES_FILE}|(?P<index>{INDEX_FILE})|(?P<record>{RECORD_FILE}))"
)
"""Rows, changes and records, with the attempt that made them."""


def attempt_folder(attempt: int) -> str:
    return "" if attempt == 1 else f"attempt-{attempt}/"


def superseded_folder(retries: int) -> str:
    """Return where the end after this number of retries puts what it replaces."""
    return f"superseded-{retries}/"


def made_anew(older: Manifest, stored: Collection[str]) -> list[str]:
    """Return the parts of an older delivery that the new one may replace; `stored`: the pages that both share."""
    parts = [part.name for part in older.parts if part.name not in stored]
    return parts + [file.name for file in changed_files(older)]


def leftovers(files: Iterable[str], manifest: Manifest) -> list[str]:
    """Return rows and records that no reader of the manifest is to take for the job's: older ones, or never listed.

    The records of a large store, whose indexes come before them in `files`, stay: without an index nobody reads them.
    """
    listed = {part.name for part in manifest.parts} | {record.name for record in manifest.records}
    listed |= {index.name for index in manifest.record_indexes} | {file.name for file in changed_files(manifest)}
    large: set[str] = set()
    found = []
    for name in files:
        match = _MADE.fullmatch(name)
        if match is None or int(match["attempt"] or 1) > manifest.attempt:
            continue
        if match["index"]:
            large.add(match["folder"])
        if name not in listed and not (match["record"] and match["folder"] in large):
            found.append(name)
    return found
