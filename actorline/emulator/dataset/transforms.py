"""What the query parameters do to the items of a window, one item in and any number out.

The meanings are those of the OpenAPI document (`/v2/datasets/{datasetId}/items`). It doesn't say in which order they
act; here: hidden fields, `fields`, `omit`, `unwind`, `flatten`, and last the empty items, so that
`fields=reviews&unwind=reviews` gives the reviews.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

Item = dict[str, Any]
Step = Callable[[Item], Iterable[Item]]


@dataclass(frozen=True)
class Transform:
    """The parameters that change items. `output_fields` is empty or as long as `fields`."""

    skip_hidden: bool = False
    skip_empty: bool = False
    fields: tuple[str, ...] = ()
    output_fields: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    unwind: tuple[str, ...] = ()
    flatten: tuple[str, ...] = ()

    @property
    def changes_nothing(self) -> bool:
        return self == Transform()

    def items(self, item: Item) -> list[Item]:
        items = [item]
        for step in self._steps():
            items = [made for one in items for made in step(one)]
        return items

    def lines(self, block: bytes) -> bytes:
        """Turn a block of lines of JSON into another one, which may be empty."""
        made = [orjson.dumps(out) for line in block.splitlines() for out in self.items(orjson.loads(line))]
        return b"\n".join([*made, b""])

    def _steps(self) -> Iterator[Step]:
        if self.skip_hidden:
            yield _without_hidden
        if self.fields:
            yield lambda item: _picked(item, self.fields, self.output_fields or self.fields)
        if self.omit:
            yield lambda item: [{name: value for name, value in item.items() if name not in self.omit}]
        for field in self.unwind:
            yield lambda item, field=field: _unwound(item, field)  # type: ignore[misc]
        for field in self.flatten:
            yield lambda item, field=field: _flattened(item, field)  # type: ignore[misc]
        if self.skip_empty:
            yield lambda item: [item] if item else []


def _without_hidden(item: Item) -> list[Item]:
    return [{name: value for name, value in item.items() if not name.startswith("#")}]


def _picked(item: Item, fields: tuple[str, ...], names: tuple[str, ...]) -> list[Item]:
    return [{name: item[field] for field, name in zip(fields, names, strict=True) if field in item}]


def _unwound(item: Item, field: str) -> list[Item]:
    value = item.get(field)
    rest = {name: kept for name, kept in item.items() if name != field}
    if isinstance(value, dict):
        return [{**rest, **value}]
    if isinstance(value, list) and value:
        return [{**rest, **one} if isinstance(one, dict) else {**rest, field: one} for one in value]
    return [item]


def _flattened(item: Item, field: str) -> list[Item]:
    made: Item = {}
    for name, value in item.items():
        made.update(_leaves(name, value) if name == field else {name: value})
    return [made]


def _leaves(path: str, value: Any) -> Item:
    if not isinstance(value, dict) or not value:
        return {path: value}
    leaves: Item = {}
    for name, inner in value.items():
        leaves.update(_leaves(f"{path}.{name}", inner))
    return leaves
