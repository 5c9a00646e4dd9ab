"""Real parts for tests, as functions and classes: the emulator, a line, its worker processes, what was delivered."""

import base64
import gzip
import hashlib
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from socketserver import BaseServer
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

import pytest
from celery import Celery
from forked_process import Process, start_program

from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.messages import celery_arguments
from actorline.redis_connection.address import next_database

TOKEN = "apify_api_emulator"
CUT_OFF = 499  # as in `actorline.emulator.app`, which takes long to import
BODY = re.compile(r'"body": "([A-Za-z0-9+/=]*)"')  # of a message of Celery
ROOT = Path(__file__).parents[1]


def wait_for(condition: Callable[[], Any], *, within: float = 120, what: str = "the condition") -> Any:
    """Look until the condition holds and return what it gave; fail when the deadline passes."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"{what} did not come true within {within} s")


@dataclass
class Emulator:
    """The local Apify API in its own process."""

    url: str

    def actor(self, name: str, **script: Any) -> str:
        """Define the Actor `demo/{name}` and return its name."""
        self._send("PUT", f"/emulator/actors/demo~{name}", {"script": script})
        return f"demo/{name}"

    def actor_task(self, name: str, actor: str, **fields: Any) -> dict[str, Any]:
        return self._send("PUT", f"/emulator/actor-tasks/demo~{name}", {"actor": actor.replace("/", "~"), **fields})

    def faults(self, *faults: dict[str, Any]) -> None:
        self._send("POST", "/emulator/faults", list(faults))

    def end_faults(self) -> None:
        self._send("DELETE", "/emulator/faults")

    def starts(self, target: str) -> list[dict[str, Any]]:
        """Each POST that asked for a run of an Actor or Actor task (`demo/name`), not those that were cut off."""
        path = f"/{target.replace('/', '~')}/runs"
        posts = [request for request in self.requests("POST") if request["path"].endswith(path)]
        return [post for post in posts if post["status"] != CUT_OFF]

    def start(self, actor: str) -> dict[str, Any]:
        """A run that no job of ours asked for."""
        return self._send("POST", f"/v2/actors/{actor.replace('/', '~')}/runs")["data"]

    def finish(self, run_id: str) -> None:
        """Let a run end now, as its script says that it does later."""
        self.post(f"/emulator/runs/{run_id}/finish")

    def finish_runs_of(self, actor: str) -> None:
        for run in self.runs_of(actor):
            self.finish(run["id"])

    def runs_of(self, actor: str) -> list[dict[str, Any]]:
        """The runs that an Actor has had."""
        return self.get(f"/v2/actors/{actor.replace('/', '~')}/runs")["data"]["items"]

    def run(self, run_id: str) -> dict[str, Any]:
        return self.get(f"/v2/actor-runs/{run_id}")["data"]

    def expected(self, dataset_id: str, query: str = "") -> dict[str, Any]:
        """Count, bytes and sha256 of the rows as plain lines."""
        return self.get(f"/emulator/datasets/{dataset_id}/expected?{query}")

    def item_lines(self, dataset_id: str, query: str = "") -> bytes:
        """The rows as the platform writes them in one response."""
        return self.read(f"/v2/datasets/{dataset_id}/items?format=jsonl&{query}")

    def requests(self, method: str = "", path_prefix: str = "") -> list[dict[str, Any]]:
        return self._send("GET", f"/emulator/requests?method={method}&path_prefix={path_prefix}")

    def runs(self) -> list[dict[str, Any]]:
        return self._send("GET", "/v2/actor-runs?desc=1&limit=1000")["data"]["items"]

    def get(self, path: str) -> Any:
        return self._send("GET", path)

    def post(self, path: str) -> Any:
        return self._send("POST", path)

    def read(self, path: str) -> bytes:
        return self._call("GET", path, None)

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        text = self._call(method, path, body)
        return json.loads(text) if text else None

    def _call(self, method: str, path: str, body: Any) -> bytes:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.read()


@contextmanager
def running_emulator(*options: str) -> Iterator[Emulator]:
    (its_url, out), (stdin, ended_by) = pipe(), pipe()
    command = ("actorline.emulator", "--port", "0", "--exit-with-stdin", *options)
    with its_url, ended_by:
        with out, stdin:
            process = start_program(*command, cwd=Path.cwd(), env=os.environ, out=out, err=sys.__stderr__, stdin=stdin)
        yield Emulator(json.loads(its_url.readline())["url"])
    process.wait(60)


def pipe() -> tuple[TextIO, TextIO]:
    reads, writes = os.pipe()
    return os.fdopen(reads), os.fdopen(writes, "w")


@dataclass
class Line:
    """A running Actorline, as a service sees it."""

    broker: str
    results: str
    namespace: str
    home: Path
    environment: dict[str, str]
    ledger: Ledger
    emulator: Emulator
    client: Celery

    def submit(self, document: dict[str, Any], **options: Any) -> Any:
        return self.client.send_task("actorline.run", [document], queue=self.namespace, **options)

    def send(self, task: str, *args: Any, queue: str = "") -> Any:
        """Send one of our tasks by hand, to the doors' queue or another one of ours (`control`, `fetch`)."""
        return self.client.send_task(task, args, queue=f"{self.namespace}.{queue}" if queue else self.namespace)

    def cancel(self, key: str) -> Any:
        return self.send("actorline.cancel", key)

    def state(self, key: str) -> str | None:
        job = self.ledger.load(key)
        return job.state if job else None

    def let_deadline_pass(self, key: str) -> None:
        """Once the job has its run, make it so old that its deadline has come."""
        job = wait_for(lambda: (job := self.ledger.load(key)) and job.run.id and job, what=f"the run of {key}")
        long_ago = self.ledger.now() - job.document.deadline_secs - 1
        assert self.ledger.change(key, Change(fields={"queued_at": long_ago}), epoch=None) is not None

    def events(self, key: str) -> list[str]:
        return [entry.event for entry in self.ledger.timeline.entries(key)]


@contextmanager
def in_background(work: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end()
        thread.join(60)


@contextmanager
def captured_events(line: Line) -> Iterator[list[dict[str, Any]]]:
    """Every Celery event, as Flower gets it."""
    seen: list[dict[str, Any]] = []
    with line.client.connection_for_read() as connection:
        receiver = line.client.events.Receiver(connection, handlers={"*": seen.append})
        with in_background(receiver.capture, lambda: setattr(receiver, "should_stop", True)):
            wait_for(lambda: seen, what="a worker's heartbeat")
            yield seen


@contextmanager
def captured_commands(url: str) -> Iterator[list[dict[str, Any]]]:
    seen: list[dict[str, Any]] = []
    client = connect(url)
    with client.monitor() as monitor:

        def listen() -> None:
            while not seen or "the end of the watch" not in seen[-1]["command"]:
                seen.append(monitor.next_command())

        with in_background(listen, lambda: client.echo("the end of the watch")):
            yield seen
    client.close()


def decoded(command: str) -> str:
    return command + " ".join(base64.b64decode(body).decode() for body in BODY.findall(command))


WORKER = ("workers", "worker")


def start_worker(kind: str, line: Line, program: Sequence[str] = WORKER, *, forked: bool = True) -> Process:
    with (line.home / f"{kind}-{time.monotonic_ns()}.log").open("wb") as log:
        return start_program(*program, kind, cwd=line.home, env=line.environment, out=log, err=log, forked=forked)


def make_line(valkey: str, emulator: Emulator, home: Path, namespace: str, **settings: str) -> Line:
    """A line of its own on the shared Valkey; no worker runs yet."""
    home.mkdir(parents=True, exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ACTORLINE_", "APIFY_"))},
        "APIFY_TOKEN": TOKEN,
        "ACTORLINE_API_URL": emulator.url,
        "ACTORLINE_REDIS_URL": valkey,
        "ACTORLINE_HOME": str(home),
        "ACTORLINE_NAMESPACE": namespace,
        "ACTORLINE_VISIBILITY_TIMEOUT_SECS": "5",
        "ACTORLINE_DATASET_LAG_SECS": "0.5",
        "ACTORLINE_START_SETTLE_SECS": "2",
        "ACTORLINE_SEND_BY_SECS": "3",
        **{f"ACTORLINE_{name.upper()}": value for name, value in settings.items()},
    }
    results = next_database(valkey)
    client = Celery("service", **celery_arguments(valkey, results), set_as_current=False)
    ledger = Ledger(connect(next_database(results)), namespace)
    return Line(valkey, results, namespace, home, environment, ledger, emulator, client)


@contextmanager
def running_workers(
    line: Line, *kinds: str, program: Sequence[str] = WORKER, forked: bool = True
) -> Iterator[list[Process]]:
    """Workers that respond; those that the test adds to the list are stopped as well."""
    workers = [start_worker(kind, line, program, forked=forked) for kind in kinds]
    try:
        wait_until_ready(line, kinds, workers)
        yield workers
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(120)


@contextmanager
def running_line(valkey: str, emulator: Emulator, home: Path, namespace: str, **settings: str) -> Iterator[Line]:
    """A line of its own on the shared Valkey, with a control and a fetch worker."""
    line = make_line(valkey, emulator, home, namespace, **settings)
    with running_workers(line, "control", "fetch"):
        yield line
    line.client.close()


def free_port(*, side_by_side: int = 1) -> int:
    """Return a port that nobody listens on, from below those that the kernel gives to connections meanwhile; or the
    first of some.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with suppress(OSError), ExitStack() as taken:
            for number in range(side_by_side):
                taken.enter_context(socket.create_server(("127.0.0.1", port + number)))
            return port


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Somebody's server, in a thread of this process."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wait_until_ready(line: Line, kinds: Sequence[str], workers: Sequence[Process]) -> None:
    names = [f"{kind}-{worker.pid}" for kind, worker in zip(kinds, workers, strict=True)]
    wait_for_pongs(line.client, names, workers)


def wait_for_pongs(client: Celery, names: Sequence[str], workers: Sequence[Process]) -> None:
    """Ping workers of this machine until all respond, with more patience each time: a busy one takes long for that."""
    hosts = [f"{name}@{socket.gethostname()}" for name in names]
    patience = chain(repeat(0.5, 10), repeat(5.0))

    def respond() -> bool:
        assert [worker.poll() for worker in workers] == [None] * len(workers), "a worker died: its log says why"
        return len(client.control.ping(hosts, timeout=next(patience), limit=len(hosts))) == len(hosts)

    wait_for(respond, what="workers that respond to a ping")


def waiting_poll(line: Line, key: str) -> str | None:
    """The task id of the job's poll that a worker holds until its time has come."""
    with line.client.connection_for_read() as connection:
        held = connection.default_channel.client.hvals(f"{line.namespace}.unacked")
    for message in (json.loads(text)[0] for text in held):
        headers, (arguments, *_) = message["headers"], json.loads(base64.b64decode(message["body"]))
        if headers["task"] == "actorline.poll_run" and headers["eta"] and arguments[0] == key:
            return headers["id"]
    return None


def unacked(line: Line) -> int:
    """Messages that workers hold, or that nobody will ever look at again."""
    with line.client.connection_for_read() as connection:
        client = connection.default_channel.client
        return int(client.hlen(f"{line.namespace}.unacked") + client.zcard(f"{line.namespace}.unacked_index"))


SERVICE = """
import os
from celery import Celery

app = Celery("service", broker=os.environ["BROKER"], backend=os.environ["RESULTS"])

@app.task(name="service.items")
def items(result):
    return result["items"]

@app.task(name="service.total")
def total(results):
    return sum(result["items"] for result in results)

@app.task(name="service.echo")
def echo(*args):
    return list(args)
"""


@contextmanager
def running_service(line: Line, folder: Path) -> Iterator[None]:
    """A worker that knows Celery and two addresses, as any service's."""
    (folder / "service.py").write_text(SERVICE)
    options = "--pool threads --concurrency 2 --queues celery --without-mingle --without-gossip --hostname service@%h"
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "celery", "-A", "service", "worker", *options.split()],
            cwd=folder,
            env={**os.environ, "BROKER": line.broker, "RESULTS": line.results},
            stdout=log,
            stderr=log,
        )
    try:
        wait_for_pongs(line.client, ["service"], [worker])
        yield
    finally:
        worker.terminate()
        worker.wait(120)


@dataclass(frozen=True)
class Delivery:
    """What a job left in its sink."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    @property
    def lines(self) -> bytes:
        """The plain text of all parts, in the order of the manifest."""
        return b"".join(self.plain(part["name"]) for part in self.manifest["parts"])

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.lines).hexdigest()

    def plain(self, name: str) -> bytes:
        """One file's text."""
        stored = (self.folder / name).read_bytes()
        return gzip.decompress(stored) if name.endswith(".gz") else stored


def delivery_of(result: dict[str, Any]) -> Delivery:
    folder = Path(unquote(urlsplit(result["sink"]).path))
    return Delivery(folder, json.loads((folder / "manifest.json").read_bytes()))


def reason_of(error: BaseException) -> dict[str, Any]:
    """The reason in the result that is the one argument of an exception raised to a caller."""
    (argument,) = error.args
    return json.loads(argument)["reason"]
