"""What is counted of rows: for each page, kept with its receipt, and for all pages together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

JsonType = Literal["string", "number", "integer", "boolean", "array", "object"]
FIRST_ROWS: Final = 10  # bad rows that are named


class Flaw(BaseModel):
    """How many rows have something, and the numbers of the first of them: in a page from 0, in a delivery from 1."""

    model_config = ConfigDict(frozen=True)

    count: int = 0
    first: tuple[int, ...] = ()

    def after(self, rows: int, more: "Flaw") -> "Flaw":
        """Return this flaw with that of a page that begins after so many rows."""
        first = (*self.first, *(rows + number + 1 for number in more.first))
        return Flaw(count=self.count + more.count, first=first[:FIRST_ROWS])


NONE: Final = Flaw()


class RowCounts(BaseModel):
    """The rows of one page: in how many a field is missing, or of another type, by path; how many match."""

    model_config = ConfigDict(frozen=True)

    rows: int = 0
    missing: Mapping[str, Flaw] = {}
    mistyped: Mapping[str, Flaw] = {}
    matches: Flaw = NONE


@dataclass(frozen=True)
class RowsSeen:
    """The rows of the pages that were read so far. `keyed`: rows whose key was compared, of which `duplicates` have the
    key of an earlier one; `keys`: different keys.
    """

    rows: int = 0
    missing: Mapping[str, Flaw] = field(default_factory=dict)
    mistyped: Mapping[str, Flaw] = field(default_factory=dict)
    matches: Flaw = NONE
    keyed: int = 0
    keys: int = 0
    duplicates: Flaw = NONE


def add_up(pages: Iterable[RowCounts]) -> RowsSeen:
    """Return the counts of pages together, in the order of the rows; the keys are compared elsewhere."""
    rows, matches = 0, NONE
    missing: dict[str, Flaw] = {}
    mistyped: dict[str, Flaw] = {}
    for page in pages:
        for sums, more in ((missing, page.missing), (mistyped, page.mistyped)):
            for path, flaw in more.items():
                sums[path] = sums.get(path, NONE).after(rows, flaw)
        matches = matches.after(rows, page.matches)
        rows += page.rows
    return RowsSeen(rows=rows, missing=missing, mistyped=mistyped, matches=matches)
