"""What a start costs whose reply is lost: Actorline, the platform's own client, and a plain Celery task that retries.

`make compare` prints the table that docs/promises.md holds. Not part of any suite: it asserts of Actorline only.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from apify_client import ApifyClient
from celery import Celery
from real_parts import TOKEN, Emulator, Line, make_line, running_workers, wait_for

JOBS = 5
FAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "the reply is lost": {"action": "reset_after"},
    "the reply is cut": {"action": "cut_body", "after_bytes": 40},
    "502, and nothing was started": {"action": "status", "status": 502, "html": "<html>Bad gateway</html>"},
}
PLAIN = """
import os
import requests
from celery import Celery

app = Celery("plain", broker=os.environ["BROKER"], backend=os.environ["RESULTS"])
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True)
session = requests.Session()
session.headers["Authorization"] = "Bearer " + os.environ["TOKEN"]

@app.task(autoretry_for=(Exception,), retry_backoff=True, max_retries=5)
def start(actor):
    answer = session.post(f"{os.environ['API']}/v2/actors/{actor}/runs", json={}, timeout=30)
    answer.raise_for_status()
    return answer.json()["data"]["id"]

@app.task(bind=True, max_retries=None)
def poll(self, run_id):
    run = session.get(f"{os.environ['API']}/v2/actor-runs/{run_id}", timeout=30).json()["data"]
    if run["status"] in {"READY", "RUNNING"}:
        raise self.retry(countdown=1)
    return run["defaultDatasetId"]

@app.task(autoretry_for=(Exception,), retry_backoff=True)
def fetch(dataset_id):
    return len(session.get(f"{os.environ['API']}/v2/datasets/{dataset_id}/items", timeout=30).json())
"""


@pytest.fixture
def line(valkey: str, emulator: Emulator, tmp_path: Path) -> Iterator[Line]:
    line = make_line(valkey, emulator, tmp_path / "line", "compared")
    with running_workers(line, "control", "fetch"):
        yield line
    line.client.close()


@pytest.fixture
def plain(valkey: str, emulator: Emulator, tmp_path: Path) -> Iterator[Celery]:
    """A worker with a chain as Celery's documentation has it, on the same Valkey in databases of its own."""
    broker, results = f"{valkey}?virtual_host=5", f"{valkey}?virtual_host=6"
    (tmp_path / "plain.py").write_text(PLAIN)
    environment = {**os.environ, "BROKER": broker, "RESULTS": results, "TOKEN": TOKEN, "API": emulator.url}
    command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "plain", "worker", "--pool", "threads"]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    app = Celery("plain", broker=broker, backend=results, set_as_current=False)
    wait_for(lambda: app.control.ping(timeout=0.5), what="the plain worker")
    yield app
    worker.terminate()
    worker.wait(20)
    app.close()


@pytest.mark.timeout(900)
def test_comparison(line: Line, plain: Celery, emulator: Emulator) -> None:
    ways: dict[str, Callable[[str], int]] = {
        "Actorline": lambda actor: with_actorline(line, actor),
        "official client": lambda actor: with_client(emulator, actor),
        "Celery, autoretry_for": lambda actor: with_celery(plain, actor),
    }
    rows = {way: [outcome(emulator, way, fault, run) for fault in FAULTS] for way, run in ways.items()}
    sys.stdout.write("\n| runs paid for a job; jobs with all rows | " + " | ".join(FAULTS) + " |\n")
    sys.stdout.write("|---|" + "---|" * len(FAULTS) + "\n")
    for way, outcomes in rows.items():
        cells = " | ".join(f"{runs:g}; {whole} of {JOBS}" for runs, whole in outcomes)
        sys.stdout.write(f"| {way} | {cells} |\n")
    assert rows["Actorline"] == [(1, JOBS)] * len(FAULTS)


def outcome(emulator: Emulator, way: str, fault: str, run: Callable[[str], int]) -> tuple[float, int]:
    """Runs paid a job, and jobs that got their 20 rows; the fault befalls the first start of each job."""
    names = [f"{way} {fault} {number}".lower().replace(" ", "-").replace(",", "") for number in range(JOBS)]
    actors = [emulator.actor(name, items=20, duration_secs=0.5) for name in names]
    if FAULTS[fault]:
        starts = [f"/actors/{actor.replace('/', '~')}/runs$" for actor in actors]
        emulator.faults(*({"method": "POST", "path_regex": path, "nth": 1, **FAULTS[fault]} for path in starts))
    with ThreadPoolExecutor(JOBS) as threads:
        whole = sum(rows == 20 for rows in threads.map(run, actors))
    emulator.end_faults()
    return sum(len(emulator.runs_of(actor)) for actor in actors) / JOBS, whole


def with_actorline(line: Line, actor: str) -> int:
    return line.submit({"actor": actor, "poll_interval_secs": 1}).get(timeout=120)["items"]


def with_client(emulator: Emulator, actor: str) -> int:
    client = ApifyClient(TOKEN, api_url=emulator.url)
    run = client.actor(actor).call(logger=None)
    return len(client.dataset(run.default_dataset_id).list_items().items)


def with_celery(app: Celery, actor: str) -> int:
    names = ("plain.start", "plain.poll", "plain.fetch")
    first, *rest = (app.signature(name) for name in names)
    return (first.clone([actor.replace("/", "~")]) | rest[0] | rest[1]).apply_async().get(timeout=120)
