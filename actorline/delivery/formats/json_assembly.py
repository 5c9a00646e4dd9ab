"""A single file of JSON: pages of lines, or of arrays without their brackets, are copied one after the other."""

from collections.abc import Iterator

from actorline.delivery.formats.gzip_members import StoredFile, stored_apart
from actorline.delivery.formats.json_lines import ARRAY_BORDER, ARRAY_HEAD, ARRAY_TAIL
from actorline.delivery.formats.staged_page import StagedPage


class LinesAssembly:
    def write(self, pages: list[StagedPage], out: StoredFile, *, is_first: bool) -> None:  # noqa: ARG002 - all alike
        for page in pages:
            for block in page.blocks():
                out.copy(block)


class ArrayAssembly:
    def write(self, pages: list[StagedPage], out: StoredFile, *, is_first: bool) -> None:  # noqa: ARG002 - all alike
        border = ARRAY_HEAD
        for page in pages:
            if page.receipt.items:
                out.write_apart(border)
                border = ARRAY_BORDER
                for block in _rows(page):
                    out.copy(block)
        out.write_apart(ARRAY_TAIL if border == ARRAY_BORDER else ARRAY_HEAD + ARRAY_TAIL)


def _rows(page: StagedPage) -> Iterator[bytes]:
    """Yield the stored bytes between the brackets."""
    skip = len(stored_apart(ARRAY_HEAD, compress=page.is_gzip))
    left = page.receipt.bytes - skip - len(stored_apart(ARRAY_TAIL, compress=page.is_gzip))
    for block in page.blocks():
        rows = block[skip:][:left]
        skip = max(skip - len(block), 0)
        left -= len(rows)
        if rows:
            yield rows
