"""An object as a file: written in pieces under a hidden name, read in ranges."""

import contextlib
import io
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer
    from obstore import WritableFile
    from obstore.store import ObjectStore

PIECE_BYTES: Final = 8 * 1024 * 1024  # S3 takes 10,000 pieces: files of up to 80 GB
PIECES_AT_ONCE: Final = 2  # with PIECE_BYTES it bounds the memory of a file that is written
READ_BYTES: Final = 4 * 1024 * 1024  # a request; a round trip of 50 ms costs little beside it

Refusals = Callable[[], AbstractContextManager[None]]
"""Makes what the library raises a SinkError."""


class ObjectUpload(io.RawIOBase):
    """What is written is held in memory up to one piece; beyond that it is streamed to the object `key`."""

    def __init__(self, store: "ObjectStore", key: str, refusals: Refusals) -> None:
        self.key = key
        self.size = 0
        self.held = bytearray()
        self._store = store
        self._refusals = refusals
        self._stream: WritableFile | None = None
        self._is_complete = False

    @property
    def is_small(self) -> bool:
        """Return whether all of it is in `held`, and nothing in the store."""
        return self._stream is None

    def writable(self) -> bool:
        return True

    def write(self, block: "ReadableBuffer") -> int:
        data = bytes(block)  # it is kept until it is sent, and a buffer may be used again meanwhile
        self.size += len(data)
        if self._stream is None and self.size <= PIECE_BYTES:
            self.held += data
            return len(data)
        with self._refusals():
            if self._stream is None:
                self._stream = open_writer(self._store, self.key)
                self._stream.write(bytes(self.held))
                self.held.clear()
            self._stream.write(data)
        return len(data)

    def complete(self) -> None:
        """Make the streamed object whole. If that fails, the library aborts the upload."""
        if self._stream and not self._is_complete:
            with self._refusals():
                self._stream.close()
            self._is_complete = True

    def discard(self) -> None:
        """Leave nothing in the store. What can't be removed now is swept after the job's end."""
        if self._stream is None:
            return
        with contextlib.suppress(BaseError, OSError):
            if self._is_complete:
                obstore.delete(self._store, self.key)
            else:
                self._stream.__exit__(InterruptedError, None, None)  # aborts the upload


class ObjectReader(io.RawIOBase):
    def __init__(self, store: "ObjectStore", key: str, size: int, refusals: Refusals) -> None:
        self._store = store
        self._key = key
        self._size = size
        self._refusals = refusals
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        block = self._next(len(view))
        view[: len(block)] = block
        return len(block)

    def readall(self) -> bytes:
        """Read in one request; the base class would send one for each 8 kB."""
        return bytes(self._next(self._size))

    def _next(self, most: int) -> memoryview:
        length = min(most, self._size - self._at)
        if length <= 0:
            return memoryview(b"")
        with self._refusals():
            block = memoryview(obstore.get_range(self._store, self._key, start=self._at, length=length))
        self._at += length
        return block


def open_writer(store: "ObjectStore", key: str) -> "WritableFile":
    """Return a multipart upload, aborted if its `with` block raises. Its methods raise OSError."""
    return obstore.open_writer(store, key, buffer_size=PIECE_BYTES, max_concurrency=PIECES_AT_ONCE)
