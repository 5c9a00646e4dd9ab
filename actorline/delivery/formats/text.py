"""What a format makes of the text of a page: which of it is stored, and how many rows it holds."""

from typing import Final, Protocol

ROW_BYTES_MAX: Final = 32 * 1024 * 1024
"""What is held of one row. In CSV each quote of an item is doubled; its size: `docs/platform-facts.md#item-size`."""


class UnreadablePage(Exception):
    """What came is not the page that was asked for; fetching it again may help. Nothing of it is kept."""


class PageText(Protocol):
    """Reads the responses that make up one window, one after the other, and says what is stored of them.

    `head` and `tail`: what comes before and after the rows; in a gzip part they are members of their own, so that
    the rows can be copied without them. `head` is asked for when the first row is stored.
    """

    @property
    def name(self) -> str:
        """Return the format, for messages."""

    @property
    def media_types(self) -> tuple[str, ...]:
        """Return words of which the Content-Type holds one."""

    @property
    def passes_through(self) -> bool:
        """Return whether the bytes are stored as they came; `feed` and `end` then add nothing but a last newline."""

    @property
    def counts_exactly(self) -> bool:
        """Return whether `end` knows the number of rows; otherwise it may name too many, never too few."""

    @property
    def shows_cuts(self) -> bool:
        """Return whether `end` notices a cut inside of a row."""

    @property
    def head(self) -> bytes: ...

    @property
    def tail(self) -> bytes: ...

    def feed(self, plain: bytes) -> bytes:
        """Take a block of the response's text; returns what is stored of what came so far. Raises UnreadablePage."""

    def end(self) -> tuple[bytes, int]:
        """End the response; return what is stored of its rest, and its number of rows.

        Raises UnreadablePage if it is cut.
        """


def check_row_size(size_bytes: int) -> None:
    """Raise UnreadablePage for a row that is larger than any item can be: nothing is held without a bound."""
    if size_bytes > ROW_BYTES_MAX:
        raise UnreadablePage(f"a row has more than {ROW_BYTES_MAX:,} bytes; the platform's items have at most 9 MB")
