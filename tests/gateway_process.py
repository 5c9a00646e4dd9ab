"""The HTTP gateway as its own process on a line of workers, and a client of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from forked_process import Process, start_program
from real_parts import Line, wait_for
from terminal import Done, finished

from actorline.jobs.states import TERMINAL


@dataclass(frozen=True)
class Gateway:
    """A door that listens."""

    url: str
    http: httpx.Client
    line: Line
    process: Process
    log: Path

    def order(self, *, key: str | None = None, **document: Any) -> httpx.Response:
        """Order a job; `key` is sent as the header."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.http.post("/v1/jobs", json={"poll_interval_secs": 1, **document}, headers=headers)

    def delivered(self, key: str, **document: Any) -> dict[str, Any]:
        """Order a job and wait for its end; returns its result."""
        assert self.order(key=key, **document).status_code == 202
        return self.ended(key)

    def ended(self, key: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            result = self.http.get(f"/v1/jobs/{key}", params={"wait": 60}).json()
            return result if result["state"] in TERMINAL else None

        return wait_for(look, what=f"the end of {key}")

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line for line in lines if line["event"] == event]


def refused_gateway(line: Line, *options: str, **environment: str) -> Done:
    """A gateway that doesn't start."""
    return finished(
        "actorline.gateway", "--port", "0", *options, cwd=line.home, env={**line.environment, **environment}
    )


@contextmanager
def running_gateway(
    line: Line, *options: str, token: str | None = None, forked: bool = True, **environment: str
) -> Iterator[Gateway]:
    """`token`: the API key that the client sends."""
    log = line.home / f"gateway-{len(list(line.home.glob('gateway-*')))}.log"
    with log.open("wb") as file:
        command = ("actorline.gateway", "--port", "0", *options)
        env = {**line.environment, **environment}
        process = start_program(*command, cwd=line.home, env=env, out=file, err=file, forked=forked)
    try:
        listening = wait_for(
            lambda: process.poll() is not None or '"listening"' in log.read_text(), what="a gateway that listens"
        )
        assert listening
        assert process.poll() is None, log.read_text()
        url = next(json.loads(text)["url"] for text in log.read_text().splitlines() if '"listening"' in text)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=120, limits=httpx.Limits(max_connections=300)) as http:
            yield Gateway(url, http, line, process, log)
    finally:
        process.terminate()
        process.wait(60)
