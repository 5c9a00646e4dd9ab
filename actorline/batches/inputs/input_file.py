"""A batch's inputs in its sink: `_inputs/inputs.jsonl`, and `_inputs/offsets` with where each of them ends.

By the offsets any input is read alone, however many there are.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from actorline.delivery.sink import MissingFile, SinkError, open_sink
from actorline.identifiers import ExecutionToken, JobKey

FOLDER: Final = "_inputs/"
LINES: Final = "inputs.jsonl"
OFFSETS: Final = "offsets"
_END: Final = struct.Struct(">Q")
_LINE_END: Final = re.compile(b"\n")
READ_BYTES: Final = 4_000_000  # of inputs at once, but at least one: also a slow sink gives them in seconds


class InputFile:
    """The inputs of the batch whose folder is `sink_url`. Each method raises SinkError."""

    def __init__(self, sink_url: str) -> None:
        self.sink = open_sink(sink_url + FOLDER)

    def count(self) -> int | None:
        """Return how many inputs are stored; None: not all of them yet."""
        size = self.sink.size(OFFSETS)
        return None if size is None else size // _END.size

    def store(
        self, installation: str, key: JobKey, fill: Callable[[Callable[[bytes], None]], None], execution: ExecutionToken
    ) -> int:
        """Store the inputs and return their number; the offsets last, as proof that all are there.

        `fill` hands them over, a line each, in blocks of any size. The folder is claimed before, so that no job or
        other batch takes it.
        """
        self.sink.claim(installation, key)
        self.sink.remove(LINES)
        with self.sink.staging(LINES, execution) as file, self.sink.staging(OFFSETS, execution) as offsets:
            staged = _Staged(file, offsets)
            fill(staged.add)
            if not (self.sink.publish(file, LINES) and self.sink.publish(offsets, OFFSETS)):
                raise SinkError(f"Another process is writing {self.sink.file_url(LINES)} right now.")
        return staged.count

    def read(self, first: int, count: int) -> list[bytes]:
        """Return at most `count` inputs from the number `first` on, fewer if they are large."""
        before = max(first - 1, 0)
        with self.sink.open(OFFSETS) as offsets:
            offsets.seek(before * _END.size)
            raw = offsets.read((first + count - before) * _END.size)
        ends = [end for (end,) in _END.iter_unpack(raw)]
        start = 0 if first == 0 else ends.pop(0)
        if len(ends) != count:
            raise MissingFile(f"{self.sink.file_url(OFFSETS)} is damaged. Order the batch again under a new key.")
        ends = [end for end in ends if end - start <= READ_BYTES] or ends[:1]
        with self.sink.open(LINES) as file:
            file.seek(start)
            text = file.read(ends[-1] - start)
        return text.splitlines() if len(text) == ends[-1] - start else self._damaged()

    def lines(self) -> Iterator[bytes]:
        """Yield all inputs, in order."""
        with self.sink.open(LINES) as file:
            yield from (line.rstrip(b"\n") for line in iter(file.readline, b""))

    def _damaged(self) -> list[bytes]:
        raise MissingFile(f"{self.sink.file_url(LINES)} is damaged. Order the batch again under a new key.")


@dataclass
class _Staged:
    """Inputs on their way into the sink, and where each of them ends."""

    lines: BinaryIO
    offsets: BinaryIO
    size: int = 0
    count: int = 0

    def add(self, block: bytes) -> None:
        ends = [self.size + end.end() for end in _LINE_END.finditer(block)]
        self.lines.write(block)
        self.offsets.write(struct.pack(f">{len(ends)}Q", *ends))
        self.size += len(block)
        self.count += len(ends)
