"""Run one of our modules as a separate process over a stream: feed its input, read its output block by block."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import BinaryIO, Final, cast

from actorline.delivery.formats.gzip_members import BLOCK_BYTES

LOOK_EVERY_SECS: Final = 1.0
PASSED_ON: Final = (
    "PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "TZ", "TMPDIR",
)  # fmt: skip
"""What a process that only converts needs of the environment, which may hold anybody's secrets."""


class ChildFailed(Exception):
    """The process ended badly; `status` is its exit code, the message what it wrote to standard error."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


def run_child(
    module: str,
    *arguments: str,
    source: Iterable[bytes],
    take: Callable[[bytes], object],
    keep_alive: Callable[[], None],
) -> None:
    """Run `python -m module` with `source` for its input, and hand its output to `take`, in threads beside this one.

    `keep_alive` is called while the process works; what it, `source` or `take` raise stops the process. Raises
    ChildFailed.
    """
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: os.environ[name] for name in PASSED_ON if name in os.environ},
    )
    stdin, stdout, stderr = (cast("BinaryIO", pipe) for pipe in (process.stdin, process.stdout, process.stderr))
    with process, ThreadPoolExecutor(3) as threads:
        try:
            said = threads.submit(stderr.read)
            streams = {threads.submit(_drain, stdout, take), threads.submit(_feed, stdin, source)}
            while (state := wait(streams, LOOK_EVERY_SECS, FIRST_EXCEPTION)).not_done:
                if any(stream.exception() for stream in state.done):
                    break
                keep_alive()
            for stream in state.done:
                stream.result()
            status = process.wait()
        finally:
            process.kill()
    if status:
        raise ChildFailed(status, said.result().decode(errors="replace")[-500:])


def _feed(stdin: BinaryIO, source: Iterable[bytes]) -> None:
    """Feed the process. One that reads no more has ended, and reports why, or is stopped."""
    with contextlib.suppress(BrokenPipeError), stdin:
        stdin.writelines(source)


def _drain(stdout: BinaryIO, take: Callable[[bytes], object]) -> None:
    while block := stdout.read(BLOCK_BYTES):
        take(block)
