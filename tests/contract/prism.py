"""Prism as its own process: a proxy that holds each request and each response against the platform's document."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import requests
from openapi import DOCUMENT
from real_parts import wait_for

COMMAND = Path(__file__).parent / "node_modules" / ".bin" / "prism"
# With --errors Prism ends what breaks the document with an error of its own: the line that names it is the proof. A
# status that the document doesn't describe passes with a warning only. A reply that is lost on purpose breaks nothing.
VIOLATION = re.compile(r"(stoplight\.io/prism/errors#|Violation: )")


@dataclass
class Checked:
    """What has passed through Prism: `get /v2/users/me`, and the lines of its log that tell of a violation."""

    requests: list[str]
    violations: list[str]


@dataclass
class Prism:
    url: str
    log: Path
    _read_characters: int = 0
    _marks: "count[int]" = field(default_factory=count)

    def checked(self) -> Checked:
        """What has passed since the last call.

        The log comes after the response, so a last request is sent that breaks the document: once the log tells of it,
        nothing before it is missing, and it is proven each time that a violation is seen.
        """
        mark = f"/v2/no-such-path-{next(self._marks)}"
        assert requests.get(self.url + mark, timeout=10).status_code == 404
        seen = re.compile(rf"get {mark} .*{VIOLATION.pattern}.*\n")
        found = wait_for(lambda: seen.search(self._unread()), what=f"the violation of {mark} in Prism's log")
        self._read_characters += found.end()
        lines = [line for line in found.string[: found.end()].splitlines() if mark not in line]
        received = [match[1] for line in lines if (match := re.search(r"(\w+ /v2/\S*) .*Request received", line))]
        return Checked(received, [line for line in lines if VIOLATION.search(line)])

    def _unread(self) -> str:
        return self.log.read_text(errors="replace")[self._read_characters :]


@contextmanager
def running_prism(upstream: str, log: Path) -> Iterator[Prism]:
    if shutil.which(COMMAND) is None:
        pytest.fail("Prism is not installed: `make contract` installs it. It needs Node.js 18.20 or newer.")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [COMMAND, "proxy", "--port", "0", "--errors", DOCUMENT, upstream], stdout=output, stderr=output
        )
    try:
        listening = wait_for(
            lambda: process.poll() is not None or re.search(r"listening on (http://\S+)", log.read_text()),
            what="Prism's address",
        )
        assert process.poll() is None, log.read_text()[-2000:]
        yield Prism(listening[1], log)
    finally:
        process.terminate()
        process.wait(10)
