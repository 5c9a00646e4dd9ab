"""gzip inflated as it comes: member after member, in blocks of bounded size, and checked to its end."""

from collections.abc import Callable, Iterator
from typing import Final

from isal import isal_zlib

GZIP: Final = 31  # wbits: gzip header and trailer with CRC
INFLATED_BYTES: Final = 1024 * 1024  # bounds memory whatever the ratio of compression
_MAGIC: Final = b"\x1f\x8b"


class Inflate:
    """Inflates gzip members one after the other. For what isn't gzip it raises what `damaged` makes of the reason."""

    def __init__(
        self, damaged: Callable[[str], Exception], *, most_bytes: int = INFLATED_BYTES, leaves_rest: bool = False
    ) -> None:
        """Begin. `most_bytes`: of each block of text; `leaves_rest`: what follows a member and is none is left out, as
        browsers do.
        """
        self._damaged = damaged
        self._most_bytes = most_bytes
        self._leaves_rest = leaves_rest
        self._member = isal_zlib.decompressobj(GZIP)
        self.is_fed = False
        """Whether a byte has come: nothing at all isn't gzip, and may be what a broken connection left of it."""
        self.is_over = False
        """Whether what follows the members has begun."""

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Yield the text of the next block."""
        data = block
        while data:
            if self._member.eof:
                if self._leaves_rest and not data.startswith(_MAGIC[: len(data)]):
                    self.is_over = True
                    return
                self._member = isal_zlib.decompressobj(GZIP)
            try:
                plain = self._member.decompress(data, self._most_bytes)
            except isal_zlib.error as error:  # type: ignore[misc]  # its stub declares an instance
                raise self._damaged(f"the gzip stream is corrupt: {error}") from None
            self.is_fed = True
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if plain:
                yield plain

    def finish(self) -> None:
        """Raise unless the last member was whole."""
        if self.is_fed and not self._member.eof:
            raise self._damaged("the gzip stream is cut short")
