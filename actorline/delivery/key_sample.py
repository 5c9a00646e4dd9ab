"""Keys of rows, compared across pages in bounded memory: all of them in the first 100,000 rows, then a sample.

The sample is one of keys, not of rows: all rows whose key has a hash below a limit, so that each duplicate of a key in
it is in it too. A page's limit follows from where it ends, so a page that is read again leaves the same sample.
"""

import base64
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Final

from actorline.delivery.row_counts import FIRST_ROWS, NONE, Flaw

SAMPLE_ROWS: Final = 100_000  # about so many are kept of a dataset of any size, in 16 bytes each: it errs by some 0.3 %
ALL: Final = 1 << 64
_PAIR: Final = struct.Struct(">QI")


@dataclass(frozen=True)
class KeySample:
    """The keys of one page, of all whose hash is below `limit`; `packed`, as a dataset of any size has many of them."""

    limit: int
    packed: bytes

    @classmethod
    def of(cls, keys: Iterable[tuple[int, int]], *, end: int) -> "KeySample":
        """Return the sample of a page that ends at a row of the dataset. `keys`: hash, and number of the row."""
        limit = ALL if end <= SAMPLE_ROWS else ALL * SAMPLE_ROWS // end
        kept = keys if limit == ALL else (pair for pair in keys if pair[0] < limit)
        return cls(limit, b"".join(starmap(_PAIR.pack, kept)))

    @property
    def pairs(self) -> Iterator[tuple[int, int]]:
        """Return hash and number of each row in the page."""
        return _PAIR.iter_unpack(self.packed)

    def text(self) -> str:
        """Return the sample as the ledger keeps it."""
        return base64.b64encode(_PAIR.pack(self.limit - 1, 0) + self.packed).decode()

    @classmethod
    def read(cls, text: str) -> "KeySample":
        stored = base64.b64decode(text)
        return cls(_PAIR.unpack_from(stored)[0] + 1, stored[_PAIR.size :])


@dataclass(frozen=True)
class KeysSeen:
    """What the sample says of all rows: how many have a key, how many keys there are, and which rows repeat one."""

    keyed: int = 0
    keys: int = 0
    duplicates: Flaw = NONE


def compare_keys(pages: Sequence[tuple[int, KeySample]]) -> KeysSeen:
    """Compare the keys of pages, each with the number of rows before it, in the order of the rows."""
    limit = min((sample.limit for _, sample in pages), default=ALL)
    keyed, seen, first, duplicates = 0, set[int](), list[int](), 0
    for before, sample in pages:
        for key, row in sample.pairs:
            if key >= limit:
                continue
            keyed += 1
            if key not in seen:
                seen.add(key)
                continue
            duplicates += 1
            if len(first) < FIRST_ROWS:
                first.append(before + row + 1)
    return KeysSeen(
        _whole(keyed, limit), _whole(len(seen), limit), Flaw(count=_whole(duplicates, limit), first=tuple(first))
    )


def _whole(count: int, limit: int) -> int:
    """Return how many there are of all, if there are so many in the sample."""
    return count * ALL // limit
