"""A staged page: one that is stored, and becomes a part or a piece of the single file when all pages are there."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from actorline.delivery.formats.gzip_members import BLOCK_BYTES, StoredFile
from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.receipt import Receipt
from actorline.delivery.sink import Sink
from actorline.inflate import Inflate


class AssemblyFailed(Exception):
    """The pages can't become what was ordered; the message says why. They stay as they are."""


@dataclass(frozen=True)
class StagedPage:
    """`keep_alive` is called for each block that is read, and may raise to stop."""

    receipt: Receipt
    sink: Sink
    is_gzip: bool
    keep_alive: Callable[[], None]

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes as they are stored. Raises SinkError, and at the end UnreadablePage if the receipt names
        others.
        """
        digest = hashlib.sha256()
        with self.sink.open(self.receipt.part or "") as file:
            while block := file.read(BLOCK_BYTES):
                self.keep_alive()
                digest.update(block)
                yield block
        if digest.hexdigest() != self.receipt.sha256:
            raise UnreadablePage(f"{self.receipt.part} has changed since it was stored")


class Assembly(Protocol):
    """Makes delivered files out of the pages of a delivery, all of which it was shown before."""

    def write(self, pages: list[StagedPage], out: StoredFile, *, is_first: bool) -> None:
        """Write one file: the rows of these pages, in their order. `is_first`: it begins the delivery.

        Raises SinkError, UnreadablePage, AssemblyFailed, and what the pages' `keep_alive` raises.
        """


def plain_blocks(blocks: Iterator[bytes], *, is_gzip: bool) -> Iterator[bytes]:
    """Yield the text of stored bytes. Raises UnreadablePage."""
    inflate = Inflate(UnreadablePage) if is_gzip else None
    for block in blocks:
        yield from inflate.feed(block) if inflate else (block,)
    if inflate:
        inflate.finish()
