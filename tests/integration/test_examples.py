"""The examples, run as their readers run them."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from real_parts import ROOT, Line, delivery_of, wait_for

from actorline.schedules.schedule import due_key
from actorline.schedules.schedules_file import load_schedules

pytestmark = pytest.mark.thorough

EXAMPLES = ROOT / "examples"


def run(line: Line, *command: object, folder: Path = EXAMPLES, **variables: str) -> str:
    """Run an example with the line's addresses in its environment; returns what it printed."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env=line.environment | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def deliver(line: Line, key: str, **script: Any) -> dict[str, Any]:
    actor = line.emulator.actor(key, duration_secs=0.1, **script)
    return line.submit({"key": key, "actor": actor, "poll_interval_secs": 1}).get(timeout=120)


@pytest.fixture
def django_project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES / "django_orders", tmp_path / "django_orders"))


def test_django_orders_what_is_committed_and_nothing_else(line, django_project):
    actor = line.emulator.actor("example-django", items=3, duration_secs=0.1)
    run(line, "manage.py", "test", folder=django_project, PRICES_ACTOR=actor, ACTORLINE_RESULTS_URL=line.results)
    assert len(line.emulator.starts(actor)) == 2  # one of each test; the third order was rolled back


def test_django_project_needs_celery_only(django_project):
    sources = "".join(file.read_text() for file in django_project.rglob("*.py"))
    assert not re.search(r"^\s*(import|from) actorline", sources, re.MULTILINE)


def test_worker_in_a_django_project_uses_our_config_and_tasks(own_line, django_project):
    line = own_line("foreign")
    with (line.home / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [Path(sys.executable).with_name("actorline"), "worker"],
            cwd=django_project,
            env=line.environment,
            stdout=log,
            stderr=log,
        )
    try:
        actor = line.emulator.actor("example-foreign", items=3, duration_secs=0.1)
        order = line.submit({"key": "foreign", "actor": actor, "poll_interval_secs": 1})
        assert order.get(timeout=120)["state"] == "DELIVERED"
    finally:
        worker.terminate()
        worker.wait(60)


@dataclass
class FastapiJobs:
    actor: str
    http: httpx.Client

    def order(self, **headers: str) -> httpx.Response:
        return self.http.post("/jobs", json={"start_url": "https://example.com/"}, headers=headers)

    def delivered(self, place: str) -> dict[str, Any]:
        """What stands there once the job is delivered."""

        def look() -> dict[str, Any] | None:
            response = self.http.get(place)
            return response.json() if response.is_success and response.json()["state"] == "DELIVERED" else None

        return wait_for(look, what="the delivered job")


@pytest.fixture(scope="module")
def fastapi_jobs(line: Line) -> Iterator[FastapiJobs]:
    actor = line.emulator.actor("example-fastapi", items=3, duration_secs=0.1)
    with tempfile.TemporaryDirectory(prefix="al-") as folder:
        path = Path(folder, "s")
        server = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app:app", "--uds", path, "--log-level", "warning"],
            cwd=EXAMPLES / "fastapi_jobs",
            env=line.environment | {"PRICES_ACTOR": actor},
        )
        try:
            wait_for(path.exists, what="the server's socket")
            transport = httpx.HTTPTransport(uds=str(path))
            with httpx.Client(base_url="http://jobs.test", transport=transport, timeout=60) as http:
                yield FastapiJobs(actor, http)
        finally:
            server.terminate()
            server.wait(60)


def test_fastapi_responds_202_with_the_jobs_address(fastapi_jobs):
    response = fastapi_jobs.order()
    key = response.json()["key"]
    assert (response.status_code, response.headers["Location"]) == (202, f"/jobs/{key}")
    seen = fastapi_jobs.delivered(response.headers["Location"])
    assert (seen["key"], seen["items"]) == (key, 3)


def test_fastapi_takes_a_repeated_request_for_the_same_job(line, fastapi_jobs):
    before = len(line.emulator.starts(fastapi_jobs.actor))
    header = {"Idempotency-Key": "example-fastapi-twice"}
    assert {fastapi_jobs.order(**header).json()["key"] for _ in range(2)} == {"example-fastapi-twice"}
    fastapi_jobs.delivered("/jobs/example-fastapi-twice")
    assert len(line.emulator.starts(fastapi_jobs.actor)) == before + 1


def test_fastapi_says_what_it_does_not_know_and_what_it_refuses(fastapi_jobs):
    assert fastapi_jobs.http.get("/jobs/nobody").status_code == 404
    refused = fastapi_jobs.order(**{"Idempotency-Key": "no/slash"})
    assert (refused.status_code, refused.json()["code"]) == (422, "document-invalid")


@pytest.mark.parametrize("item_kind", ["plain", "nasty"])
def test_duckdb_reads_every_row_of_all_parts(line, item_kind):
    key = f"example-duckdb-{item_kind}"
    actor = line.emulator.actor(key, items=2500, duration_secs=0.1, item_kind=item_kind)
    document = {"key": key, "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": 1000}}
    folder = delivery_of(line.submit(document).get(timeout=120)).folder
    assert len(list(folder.glob("part-*.jsonl.gz"))) == 3
    assert "2500" in run(line, "rows_into_duckdb.py", folder)
    assert "1250" in run(line, "rows_into_duckdb.py", folder, "SELECT count(*) // 2 AS half FROM items")


def test_duckdb_example_takes_no_unfinished_delivery(line, tmp_path):
    (tmp_path / "part-00000.jsonl.gz").touch()
    with pytest.raises(AssertionError, match="holds no finished delivery"):
        run(line, "rows_into_duckdb.py", tmp_path)


def test_schedules_are_read_and_make_keys_of_their_due_times(tmp_path):
    schedules = load_schedules(EXAMPLES / "nightly" / "schedules.toml")
    due = schedules["nightly-prices"].rhythm.next_due(datetime(2026, 11, 23, 12, tzinfo=UTC))
    assert due_key("nightly-prices", due) == "nightly-prices@2026-11-24T02:00:00Z"
    assert schedules["hourly-stock"].rhythm.next_due(due) == datetime(2026, 11, 24, 3, tzinfo=UTC)


def test_an_existing_run_is_collected_without_another_start(line):
    actor = line.emulator.actor("example-existing", items=7, duration_secs=1)
    line.emulator._send("POST", f"/v2/actors/{actor.replace('/', '~')}/runs", {})
    (started,) = line.emulator.runs_of(actor)
    for _ in range(2):
        assert "DELIVERED: 7 items in file://" in run(line, "collect_existing.py", "run_id", started["id"])
    assert [run["id"] for run in line.emulator.runs_of(actor)] == [started["id"]]


def test_an_existing_dataset_is_collected(line):
    dataset_id = deliver(line, "example-dataset", items=9)["dataset_id"]
    assert "DELIVERED: 9 items in file://" in run(line, "collect_existing.py", "dataset_id", dataset_id)


def test_each_example_stands_in_the_table():
    table = (EXAMPLES / "README.md").read_text()
    names = {path.name for path in EXAMPLES.iterdir()} - {"README.md", "__pycache__"}
    assert [name for name in names if f"]({name}" not in table] == []
