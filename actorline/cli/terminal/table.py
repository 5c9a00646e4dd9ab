"""Tables for the terminal: where it is too narrow, cells are broken into lines instead of cut off."""

from collections.abc import Collection, Sequence

from rich.table import Table


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
