"""The process that checks the inputs of a source: `python -m actorline.batches.inputs.check_lines`.

JSON lines come in, and each goes out as the run will get it, so that what takes computing time keeps no other thread
of the worker waiting. It knows no settings, no ledger and no source. The exit code REFUSED says that they can't be a
batch's inputs, and standard error says why.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Final

from actorline.batches.inputs.line import MOST_INPUTS, input_line, refused
from actorline.errors import Refused
from actorline.jobs.document.parse import MAX_INPUT_BYTES

REFUSED: Final = 3
NICENESS: Final = 10  # the pages of running jobs come first
READ_BYTES: Final = 256 * 1024
MOST_BYTES: Final = 10_000_000_000  # a compressed source of megabytes may come to more than any disk has


def checked_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the inputs of a source as lines. Raises Refused for what can't be inputs."""
    count = size = 0
    for number, line in enumerate(_lines(blocks), 1):
        size += len(line)
        if size > MOST_BYTES:
            raise refused(f"inputs_url has more than {MOST_BYTES:,} bytes; cut the inputs into several batches")
        if line.isspace():
            continue
        if count == MOST_INPUTS:
            raise refused(f"inputs_url has more than {MOST_INPUTS:,} inputs; cut them into several batches")
        count += 1
        yield input_line(_parsed(line, number), f"line {number:,} of inputs_url")
    if not count:
        raise refused("inputs_url has no inputs")


def _parsed(line: bytes, number: int) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        ending = "" if line.endswith(b"\n") else "; it is the last one, and looks as if the source ended in its middle"
        raise refused(f"line {number:,} of inputs_url is not JSON{ending}") from None


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends; the last one may have none."""
    rest = bytearray()
    for block in blocks:
        *whole, last = block.split(b"\n")
        for line in whole:
            rest += line
            yield bytes(rest) + b"\n"
            rest.clear()
        rest += last
        if len(rest) > 2 * MAX_INPUT_BYTES:
            raise refused("inputs_url has a line that no input can be: is it JSON lines, an object in each line?")
    if rest:
        yield bytes(rest)


def main() -> int:
    """Check standard input and write it to standard output."""
    os.nice(NICENESS)
    try:
        sys.stdout.buffer.writelines(
            line + b"\n" for line in checked_lines(iter(lambda: sys.stdin.buffer.read(READ_BYTES), b""))
        )
        sys.stdout.buffer.flush()
    except Refused as refusal:
        sys.stderr.write(str(refusal))
        return REFUSED
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
