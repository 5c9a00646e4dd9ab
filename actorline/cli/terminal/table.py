"""Tables for the terminal: where it is too narrow, cells are broken into lines instead of cut off."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from rich.cells import cell_len
from rich.table import Table

from actorline.visible import visible

GAP: Final = 2  # between two columns


def least_width(cells: Mapping[str, Sequence[str]], breakable: Mapping[str, int]) -> int:
    """Return the width of a table. `cells`: by column; `breakable`: how many characters are enough for a column."""
    natural = {column: max(cell_len(visible(text)) for text in (column, *texts)) for column, texts in cells.items()}
    widths = [min(width, breakable.get(column, width)) for column, width in natural.items()]
    return sum(widths) + GAP * (len(widths) - 1)


def fitting(
    cells: Mapping[str, Sequence[str]], width: int, *, breakable: Mapping[str, int], dropped: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """Return the columns that fit, as all do without as many of `dropped` as it takes, in this order."""
    kept = dict(cells)
    for column in dropped:
        if least_width(kept, breakable) <= width:
            break
        kept.pop(column, None)
    return kept


def new_table(columns: Sequence[str], *, right: Collection[str] = (), whole: Collection[str] = ()) -> Table:
    """Return a table without lines. `right`: columns of numbers, which are never broken; nor is a `whole` column."""
    table = Table(box=None, pad_edge=False)
    for column in columns:
        is_number = column in right
        table.add_column(
            column,
            justify="right" if is_number else "left",
            no_wrap=is_number or column in whole,
            overflow="fold",
        )
    return table
