"""Ways to run an Actor: Actorline, the platform's own client, and a plain chain of Celery tasks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from celery import Celery, chain
from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import AsyncResult
from real_parts import TOKEN, Emulator, Line, start_worker, wait_for

OTHER_WAYS: Final = Path(__file__).with_name("other_ways")
END_SECS: Final = 300


class Batch(Protocol):
    """Some Actors that were ordered together, each once."""

    def rows(self) -> list[int]:
        """The number of rows of each job that ends well and in time."""

    def cancel(self) -> None: ...

    def kill(self) -> None:
        """SIGKILL to the processes that send the starts. Whoever watches over them starts them again."""


class Way(Protocol):
    name: str

    def order(self, actors: Sequence[str]) -> Batch: ...


@dataclass
class WithActorline:
    line: Line
    workers: "list[subprocess.Popen[bytes]]"
    name: str = "Actorline"

    def order(self, actors: Sequence[str]) -> "ActorlineBatch":
        keys = [actor.replace("/", ".") for actor in actors]
        orders = [self.line.submit({"key": key, "actor": actor}) for key, actor in zip(keys, actors, strict=True)]
        return ActorlineBatch(self, keys, orders)


@dataclass
class ActorlineBatch:
    way: WithActorline
    keys: Sequence[str]
    orders: "Sequence[AsyncResult[Any]]"

    def rows(self) -> list[int]:
        return [result["items"] for result in ends_of(self.orders)]

    def cancel(self) -> None:
        for key in self.keys:
            self.way.line.cancel(key)

    def kill(self) -> None:
        """As `actorline up` does it: a worker that died is started again."""
        self.way.workers[0].kill()
        self.way.workers.insert(0, start_worker("control", self.way.line))


@dataclass
class WithOfficialClient:
    """`form`: `call` or `start`."""

    emulator: Emulator
    form: str

    @property
    def name(self) -> str:
        return f"official client, `{self.form}()`"

    def order(self, actors: Sequence[str]) -> "ClientBatch":
        script = OTHER_WAYS / "official_client.py"
        return ClientBatch([sys.executable, str(script), self.form, self.emulator.url, TOKEN, *actors])


@dataclass
class ClientBatch:
    command: Sequence[str]

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
        )

    def rows(self) -> list[int]:
        try:
            output, _ = self.process.communicate(timeout=END_SECS)
        except subprocess.TimeoutExpired:
            output = self.end(signal.SIGKILL)
        return [int(line.split()[1]) for line in output.splitlines()]

    def cancel(self) -> None:
        """Ctrl-C."""
        self.end(signal.SIGINT)

    def kill(self) -> None:
        self.end(signal.SIGKILL)
        self.begin()

    def end(self, number: int) -> str:
        os.killpg(self.process.pid, number)
        return self.process.communicate()[0]


@dataclass
class WithPlainChain:
    app: Celery
    worker: int
    """Its process id; it starts the processes of its pool again."""
    name: str = "plain Celery chain"

    def order(self, actors: Sequence[str]) -> "ChainBatch":
        names = [actor.replace("/", "~") for actor in actors]
        return ChainBatch(self, [self.steps(name).apply_async() for name in names])

    def steps(self, actor: str) -> Any:
        start, poll, fetch = (self.app.signature(f"retried_chain.{task}") for task in ("start", "poll", "fetch"))
        return chain(start.clone([actor]), poll, fetch, app=self.app)


@dataclass
class ChainBatch:
    way: WithPlainChain
    results: "Sequence[AsyncResult[Any]]"

    def rows(self) -> list[int]:
        return list(ends_of(self.results))

    def cancel(self) -> None:
        for result in self.results:
            step: Any = result
            while step:
                self.way.app.control.revoke(step.id, terminate=True)
                step = step.parent

    def kill(self) -> None:
        for pid in Path(f"/proc/{self.way.worker}/task/{self.way.worker}/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)


@contextmanager
def running_chain(valkey: str, emulator: Emulator, log: Path) -> Iterator[WithPlainChain]:
    """A Celery worker with its default pool, on databases of the same Valkey that Actorline doesn't use."""
    broker, results = f"{valkey}?virtual_host=5", f"{valkey}?virtual_host=6"
    options = ["-A", "retried_chain", "worker", "--concurrency", "16"]  # as Actorline's fetch worker
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "celery", *options],
            cwd=OTHER_WAYS,
            env={**os.environ, "BROKER": broker, "RESULTS": results, "API": emulator.url, "TOKEN": TOKEN},
            stdout=output,
            stderr=output,
        )
    app = Celery("retried_chain", broker=broker, backend=results, set_as_current=False)
    try:
        wait_for(lambda: app.control.ping(timeout=0.5), what="the chain's worker")
        yield WithPlainChain(app, worker.pid)
    finally:
        worker.terminate()
        worker.wait(60)
        app.close()


def ends_of(results: "Sequence[AsyncResult[Any]]") -> Iterator[Any]:
    """What came of those that end well and in time."""
    deadline = time.monotonic() + END_SECS
    for result in results:
        try:
            result.get(timeout=max(deadline - time.monotonic(), 0.1), propagate=False)
        except CeleryTimeoutError:
            continue
        if result.successful():
            yield result.result
