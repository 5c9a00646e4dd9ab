"""Real parts for every test that needs them: Valkey, the emulator, worker processes, a plain Celery client."""

import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_parts import ROOT, Emulator, Line, make_line, running_emulator, running_line, running_service, wait_for
from redis_server import server_binary

LONGEST = (
    "readme", "any_order", "cli", "guards", "admission", "cli_interrupts", "cli_refusals", "gateway_openapi", "sinks",
    "batches", "budgets", "changes", "orphans", "liveness", "cli_schedules", "fleet", "operator", "bad_input", "stack",
    "demo", "other_api", "ends", "notify", "rows", "gateway_quotas", "webhooks", "metrics", "full_disk", "wrong_clock",
    "formats", "failover",
)  # fmt: skip
"""The files that take a minute and more, longest first."""

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a thousand processes would each compile everything anew


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin first: one that begins last is waited for by all the others."""
    place = {f"test_{name}": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """Collect Celery's results now. One that is collected while a plugin's code is being parsed fails, as its Redis has
    gone, and Python 3.11 then takes the parsing for broken.
    """
    gc.collect()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("ACTORLINE_", "APIFY_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """A Valkey as the embedded stack configures it; returns its `redis+socket` URL."""
    folder = Path(tempfile.mkdtemp(prefix="al-"))  # short: a socket's path has at most 104 characters
    process = subprocess.Popen(
        [server_binary(), ROOT / "config" / "valkey.conf", "--dir", folder, "--unixsocket", folder / "s"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for((folder / "s").exists, what="Valkey's socket")
        yield f"redis+socket://{folder}/s"
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder for sockets, whose paths have at most 104 characters."""
    folder = Path(tempfile.mkdtemp(prefix="al-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with running_emulator() as emulator:
        yield emulator


@pytest.fixture
def faults(emulator: Emulator) -> Iterator[Callable[..., None]]:
    """Makes the emulator do what the platform does on bad days, until the test's end."""
    yield emulator.faults
    emulator.end_faults()


@pytest.fixture(scope="session")
def line(valkey: str, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """One line with a control and a fetch worker, shared by the tests that don't break it."""
    with running_line(valkey, emulator, tmp_path_factory.mktemp("line"), "shared") as line:
        yield line


@pytest.fixture
def own_line(valkey: str, emulator: Emulator, tmp_path: Path) -> Iterator[Callable[..., Line]]:
    """Makes lines of the test's own, without workers: `own_line("namespace", setting="value")`."""
    made: list[Line] = []

    def make(namespace: str, **settings: str) -> Line:
        made.append(make_line(valkey, emulator, tmp_path / namespace, namespace, **settings))
        return made[-1]

    yield make
    for line in made:
        line.client.close()


@pytest.fixture(scope="session")
def service(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The caller's own worker on Celery's default queue, with the tasks `service.*`."""
    with running_service(line, tmp_path_factory.mktemp("service")):
        yield
