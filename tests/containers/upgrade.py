"""`make upgrade`: workers are restarted and then replaced by those of the next image under load; nothing is lost or
doubled. A worker that hangs is killed by its healthcheck and comes back.

Not collected with the other container tests. The image before is that of the commit UPGRADE_FROM, the last one before
this by default.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from real_parts import ROOT, Emulator, wait_for
from test_compose import PLACE, Project, compose, docker, running_project, secret_files

from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect

__all__ = ["compose", "secret_files"]

BEFORE = "actorline:before"
ROWS = 300
WORKERS = ("control", "fetch")

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def image_before(build_image, tmp_path_factory) -> str:
    """The image of an earlier commit."""
    folder = tmp_path_factory.mktemp("before")
    commit = os.environ.get("UPGRADE_FROM") or "HEAD~1"
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    return build_image(BEFORE, folder=folder)


@dataclass(frozen=True)
class Loaded:
    """A project that works for orders which keep coming, seen from this machine: ledger and platform by address."""

    project: Project
    keys: list[str]

    def address(self, service: str) -> str:
        networks = self.project.containers(service)[0]["NetworkSettings"]["Networks"].values()
        return next(network["IPAddress"] for network in networks if network["IPAddress"])

    def ledger_states(self) -> dict[str, str | None]:
        password = quote(self.project.secret("redis_password"), safe="")
        with connect(f"redis://:{password}@{self.address('redis')}:6379/2") as client:
            ledger = Ledger(client, "actorline")
            return {key: job.state if (job := ledger.load(key)) else None for key in self.keys}

    def order(self, name: str, number: int) -> None:
        """Place orders whose runs end one after the other, while something is done to the workers."""
        for each in range(number):
            key = f"{name}-{each:03}"
            document: dict[str, Any] = {
                "key": key, "actor": "demo/rows", "poll_interval_secs": 1,
                "input": {"emulate": {"items": ROWS, "duration_secs": 2 + each % 20}},
            }  # fmt: skip
            self.project.python("beat", PLACE, stdin=json.dumps(document))
            self.keys.append(key)

    def check_all_ended_right(self) -> None:
        def are_delivered() -> bool:
            return set(self.ledger_states().values()) == {"DELIVERED"}

        wait_for(are_delivered, within=300, what=f"every delivery: {self.ledger_states()}")
        runs = Emulator(f"http://{self.address('emulator')}:8480").runs()
        assert len(runs) == len(self.keys), "a run was paid for twice, or not at all"
        rows = self.project.python("fetch", COUNT_ROWS)
        assert json.loads(rows) == dict.fromkeys(self.keys, ROWS)


COUNT_ROWS = """
import glob, gzip, json, os
count = lambda folder: sum(gzip.open(part).read().count(b"\\n") for part in glob.glob(folder + "/*.jsonl.gz"))
print(json.dumps({os.path.basename(folder): count(folder) for folder in glob.glob("/rows/*")}))
"""

HANG = """
import os, signal
from workers.ping import _workers
[os.kill(pid, signal.SIGSTOP) for pid in _workers()]
"""


@pytest.fixture(scope="module")
def loaded(image_before, builder, compose, secret_files, tmp_path_factory) -> Iterator[Loaded]:
    """A project of the image before."""
    with running_project(image_before, builder, compose, secret_files, tmp_path_factory.mktemp("compose")) as project:
        yield Loaded(project, [])


def strike_in_turn(loaded: Loaded, name: str, *commands: tuple[str, ...]) -> None:
    """Order before and after each command, and wait until the workers are there again."""
    for number, command in enumerate(commands):
        loaded.order(f"{name}-{number}", 8)
        loaded.project(*command)
        wait_for(loaded.project.is_healthy, within=240, what="a healthy project")
    loaded.check_all_ended_right()


def test_rolling_restart_loses_and_doubles_nothing(loaded):
    strike_in_turn(loaded, "restart", *(("restart", "--timeout", "30", service) for service in WORKERS))


def test_next_image_takes_over_and_loses_and_doubles_nothing(loaded, actorline_image):
    before = {each["Image"] for each in loaded.project.containers(*WORKERS)}
    loaded.project.use_image(actorline_image)
    services = (*WORKERS, "beat", "flower", "gateway")
    strike_in_turn(loaded, "next", *(
        ("up", "--detach", "--no-deps", "--no-build", "--scale", "fetch=2", service) for service in services
    ))  # fmt: skip
    after = {each["Image"] for each in loaded.project.containers(*services)}
    assert (len(before), len(after), before & after) == (1, 1, set())


def test_worker_that_hangs_is_killed_and_comes_back(loaded):
    (worker,) = loaded.project.containers("control")
    docker("exec", worker["Id"], "python", "-P", "-c", HANG)

    def is_back() -> bool:
        (found,) = loaded.project.containers("control")
        return found["RestartCount"] == 1 and found["State"]["Health"]["Status"] == "healthy"

    wait_for(is_back, within=300, what="the restart")
