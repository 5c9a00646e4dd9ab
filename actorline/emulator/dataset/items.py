"""Generated items: a function of kind, size, seed and index, so that no row is stored and every read is the same.

Whole blocks of lines are kept for the parallel and repeated reads of a large dataset.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple

from actorline.emulator.dataset.item_lines import EMPTY_EVERY, line_maker
from actorline.emulator.profile import ItemKind, Script

BLOCK_ITEMS: Final = 512
"""Lines rendered at once: about 150 kB of nasty items, a good size to compress and to send."""

CACHE_BYTES: Final = 96 * 1024 * 1024


class ItemSource(NamedTuple):
    """What the items of a dataset are made from."""

    kind: ItemKind
    size_bytes: int
    seed: int
    drift_from: int | None = None
    url_count: int | None = None

    @classmethod
    def of(cls, script: Script) -> "ItemSource":
        return cls(script.item_kind, script.item_bytes, script.seed, script.drift_from, script.url_count)

    def line(self, index: int) -> bytes:
        """Return one item as JSON on one line, without the line's end."""
        return line_maker(*self)(index)

    def empty_items(self, count: int) -> int:
        """Return how many of the first `count` items are `{}`."""
        return count // EMPTY_EVERY if self.kind == "nasty" else 0

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the items `[start, stop)` in order, as blocks of lines that each end with a newline."""
        while start < stop:
            number, skip = divmod(start, BLOCK_ITEMS)
            end = min(stop, (number + 1) * BLOCK_ITEMS)
            whole = skip == 0 and end - start == BLOCK_ITEMS
            yield _CACHE.block(self, number) if whole else _lines(self, range(start, end))
            start = end

    def blocks_desc(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the items `[start, stop)`, the last one first."""
        for end in range(stop, start, -BLOCK_ITEMS):
            yield _lines(self, range(end - 1, max(start, end - BLOCK_ITEMS) - 1, -1))


class _BlockCache:
    """The blocks last read, up to a number of bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._blocks: OrderedDict[tuple[ItemSource, int], bytes] = OrderedDict()

    def block(self, source: ItemSource, number: int) -> bytes:
        key = (source, number)
        found = self._blocks.get(key)
        if found is not None:
            self._blocks.move_to_end(key)
            return found
        made = _lines(source, range(number * BLOCK_ITEMS, (number + 1) * BLOCK_ITEMS))
        self._blocks[key] = made
        self._size += len(made)
        while self._size > self._limit:
            self._size -= len(self._blocks.popitem(last=False)[1])
        return made


_CACHE = _BlockCache(CACHE_BYTES)


def _lines(source: ItemSource, indexes: range) -> bytes:
    line = line_maker(*source)
    return b"\n".join([*map(line, indexes), b""])
