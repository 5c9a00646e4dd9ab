"""gzip as a row of members, written so that a member can be cut off."""

import gzip
import hashlib
from typing import Any, BinaryIO, Final

from isal import isal_zlib

from actorline.inflate import GZIP

BLOCK_BYTES: Final = 256 * 1024  # measured: larger blocks gain nothing
COMPRESSION_LEVEL: Final = 1  # speed counts: the text is on its way from a fast wire, or is written again and again
_NOTHING: Final = gzip.compress(b"", mtime=0)


def stored_apart(text: bytes, *, compress: bool) -> bytes:
    """Return a text as a member of its own; at level 0 every library makes the same number of bytes of it."""
    return gzip.compress(text, 0, mtime=0) if compress else text


class StoredFile:
    """Text written into a file, as gzip members or plain; `size` and `sha256` are those of the bytes in the file."""

    def __init__(self, file: BinaryIO, *, compress: bool) -> None:
        self.compress = compress
        self.size = 0
        self._file = file
        self._digest = hashlib.sha256()
        self._member: Any = None

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, text: bytes) -> None:
        """Add text to the open member."""
        if not self.compress:
            self._put(text)
        elif text:
            if self._member is None:
                self._member = isal_zlib.compressobj(COMPRESSION_LEVEL, isal_zlib.DEFLATED, GZIP)
            self._put(self._member.compress(text))

    def write_apart(self, text: bytes) -> None:
        """Add text as `stored_apart` stores it, so that a copy can leave it out."""
        if text:
            self.copy(stored_apart(text, compress=self.compress))

    def copy(self, stored: bytes) -> None:
        """Add bytes that are already as they are to be stored; in gzip they begin and end with whole members."""
        self._end_member()
        self._put(stored)

    def close(self) -> None:
        """End the last member; an empty file becomes an empty gzip file. The file itself stays open."""
        self._end_member()
        if self.compress and not self.size:
            self._put(_NOTHING)

    def _end_member(self) -> None:
        if self._member is not None:
            self._put(self._member.flush())
            self._member = None

    def _put(self, stored: bytes) -> None:
        self._file.write(stored)
        self._digest.update(stored)
        self.size += len(stored)
