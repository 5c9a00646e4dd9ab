"""`make container-chaos`: each container of the compose project is struck under load, and every job ends right.

Not collected with the other container tests. Prints the table of docs/promises.md.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
import redis
from kombu.exceptions import OperationalError
from real_parts import Emulator, wait_for
from test_compose import Project, compose, docker, http, project, running_project, secret_files

from actorline.client import Client
from actorline.errors import Unavailable
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect

__all__ = ["compose", "project", "secret_files"]

IMAGE: Final = "actorline:test"  # of conftest.py
JOBS: Final = 6
ROWS: Final = 2_000
HELD_SECS: Final = 16.0  # longer than the visibility timeout and every lease
AWAY_SECS: Final = 60.0
END_SECS: Final = 300.0
DELIVERED: Final = """
import glob, gzip, hashlib, json, os
rows = lambda folder: b"".join(gzip.open(part).read() for part in sorted(glob.glob(folder + "/*.jsonl.gz")))
print(json.dumps({os.path.basename(f): hashlib.sha256(rows(f)).hexdigest() for f in glob.glob("/rows/*")}))
"""

WITH_CLOCK: Final = f"""
FROM {IMAGE} AS clock
USER root
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev
COPY clock.c /
RUN gcc -shared -fPIC -o /clock.so /clock.c
FROM {IMAGE}
COPY --from=clock /clock.so /usr/local/lib/clock.so
ENV LD_PRELOAD=/usr/local/lib/clock.so
"""

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True)
class Struck:
    """The project as this machine reaches it: containers of internal networks, too, at addresses that may change."""

    project: Project

    def container(self, service: str) -> dict:
        return self.project.containers(service)[0]

    def address(self, service: str) -> str:
        networks = self.container(service)["NetworkSettings"]["Networks"].values()
        return next(network["IPAddress"] for network in networks if network["IPAddress"])

    def redis_url(self, database: int) -> str:
        password = quote(self.project.secret("redis_password"), safe="")
        return f"redis://:{password}@{self.address('redis')}:6379/{database}"

    @property
    def emulator(self) -> Emulator:
        return Emulator(f"http://{self.address('emulator')}:8480")

    def states(self, keys: list[str]) -> list[str | None]:
        with connect(self.redis_url(2), socket_timeout_s=5, retries=0) as client:
            ledger = Ledger(client, "actorline")
            return [job.state if (job := ledger.load(key)) else None for key in keys]

    def config(self, name: str, value: str) -> None:
        with redis.Redis.from_url(self.redis_url(0)) as client:
            client.config_set(name, value)

    def disconnect(self, service: str) -> Callable[[], None]:
        """Cut a container off from Redis and from the rest; returns what joins it again under its name."""
        own = self.container(service)
        networks = list(own["NetworkSettings"]["Networks"])
        for network in networks:
            docker("network", "disconnect", network, own["Id"])

        def join() -> None:
            for network in networks:
                docker("network", "connect", "--alias", service, network, own["Id"])

        return join


Strike = Callable[[Struck], Callable[[], object]]
"""Does the damage; returns what ends it."""


def docker_of(verb: str, back: str, service: str, *options: str) -> Strike:
    def strike(struck: Struck) -> Callable[[], object]:
        own = struck.container(service)["Id"]
        docker(verb, *options, own)
        return lambda: docker(back, own)

    return strike


def full_memory(struck: Struck) -> Callable[[], object]:
    with redis.Redis.from_url(struck.redis_url(0)) as client:
        struck.config("maxmemory", str(client.info("memory")["used_memory"] // 2))
    return lambda: struck.config("maxmemory", "1gb")


def full_sink(struck: Struck) -> Callable[[], object]:
    """The folder of the rows takes no file, as on a full disk; what is there can still be read."""

    def allow(mode: str) -> None:
        volume = f"{struck.project.name}_rows:/rows"
        docker("run", "--rm", "--user", "0", "--volume", volume, "--entrypoint", "chmod", IMAGE, mode, "/rows")

    allow("555")
    return lambda: allow("755")


def slow_disk(struck: Struck) -> Callable[[], object]:
    """The disk does one write a second for Redis, whose fsync is never done: as a volume beyond its burst allowance."""
    own = struck.container("redis")
    (volume,) = (mount["Source"] for mount in own["Mounts"] if mount["Destination"] == "/data")
    device = Path(volume).stat().st_dev
    disk = f"{os.major(device)}:{os.minor(device)}"
    first, second = Path(f"/sys/fs/cgroup/blkio/docker/{own['Id']}"), Path("/sys/fs/cgroup")
    if first.exists():
        file, slow, free = first / "blkio.throttle.write_iops_device", f"{disk} 1", f"{disk} 0"
    else:
        (group,) = second.glob(f"**/*{own['Id']}*/io.max")
        file, slow, free = group, f"{disk} wiops=1", f"{disk} wiops=max"
    file.write_text(slow)
    return lambda: file.write_text(free)


def wrong_clock(service: str, offset: str) -> Strike:
    """The clock of a worker that runs jumps, as when NTP has lost it; the other containers' stay."""

    def strike(struck: Struck) -> Callable[[], object]:
        own = struck.container(service)["Id"]
        docker("exec", own, "sh", "-c", f"echo {offset} > /tmp/clock")
        return lambda: docker("exec", own, "rm", "/tmp/clock")

    return strike


SERVICES: Final = ("control", "fetch", "redis", "gateway")
STRIKES: Final[dict[str, tuple[Strike, float]]] = {
    **{f"{each} stopped": (docker_of("stop", "start", each), HELD_SECS) for each in SERVICES},
    **{f"{each} paused": (docker_of("pause", "unpause", each), HELD_SECS) for each in SERVICES},
    **{f"{each} killed (SIGKILL)": (docker_of("kill", "start", each), HELD_SECS) for each in SERVICES},
    **{f"{each} cut off the network": (lambda s, each=each: s.disconnect(each), HELD_SECS) for each in SERVICES},
    "redis away for 60 s": (docker_of("kill", "start", "redis"), AWAY_SECS),
    "redis full (maxmemory, noeviction)": (full_memory, HELD_SECS),
    "sink takes no file": (full_sink, HELD_SECS),
    "redis on a slow disk (1 write a second)": (slow_disk, AWAY_SECS),
}


CLOCKS: Final[dict[str, Strike]] = {
    "clock of control 30 s ahead": wrong_clock("control", "+30"),
    "clock of control 30 s behind": wrong_clock("control", "-30"),
    "clock of one of two fetch workers 30 s behind": wrong_clock("fetch", "-30"),
}


@pytest.fixture(scope="module")
def struck(project) -> Struck:
    return Struck(project)


@pytest.fixture(scope="module")
def clocked(actorline_image, build_image, builder, compose, secret_files, tmp_path_factory) -> Iterator[Struck]:
    """A project whose containers have clocks that can be set."""
    del actorline_image
    folder = tmp_path_factory.mktemp("clock")
    (folder / "Dockerfile").write_text(WITH_CLOCK)
    shutil.copy(Path(__file__).with_name("clock.c"), folder)
    image = build_image(f"{IMAGE}-clock", folder=folder)
    with running_project(image, builder, compose, secret_files, folder) as project:
        yield Struck(project)


@pytest.mark.parametrize("what", list(STRIKES))
def test_jobs_end_right_after(struck, capsys, what):
    check_jobs_end_right(struck, capsys, what, *STRIKES[what])


@pytest.mark.parametrize("what", list(CLOCKS))
def test_jobs_end_right_with_a(clocked, capsys, what):
    check_jobs_end_right(clocked, capsys, what, CLOCKS[what], HELD_SECS)


def check_jobs_end_right(struck: Struck, capsys: Any, what: str, strike: Strike, held_s: float) -> None:
    emulator = struck.emulator
    name = "".join(letter if letter.isalnum() else "-" for letter in what)
    actors = {f"{name}-{n}": emulator.actor(f"{name}-{n}", items=ROWS, duration_secs=n) for n in range(JOBS)}
    place(struck, actors)
    wait_for(lambda: "RUNNING" in struck.states(list(actors)), what="a run under way")
    give_back = strike(struck)
    time.sleep(held_s)
    give_back()
    began = time.monotonic()
    wait_for(lambda: all_ended(struck, list(actors)), within=END_SECS, what=f"the end of all jobs: {what}")
    took_s = time.monotonic() - began
    runs = [run for actor in actors.values() for run in emulator.runs_of(actor)]
    with capsys.disabled():
        print(f"\n| {what} | {JOBS} | {len(runs)} | {JOBS * ROWS:,} | {took_s:.0f} s |")  # noqa: T201
    assert struck.states(list(actors)) == ["DELIVERED"] * JOBS
    assert len(runs) == JOBS
    found = json.loads(struck.project.python("fetch", DELIVERED))
    for key, run in zip(actors, runs, strict=True):
        assert found[key] == emulator.expected(run["defaultDatasetId"])["sha256"], key
    wait_for(struck.project.is_healthy, within=120, what="a healthy project")


def place(struck: Struck, actors: dict[str, str]) -> None:
    """Order half of the jobs by Celery and half over HTTP."""
    key = struck.project.secret("gateway_key")
    with Client(struck.redis_url(0), struck.redis_url(1)) as client:
        for number, (name, actor) in enumerate(actors.items()):
            order = {"key": name, "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": ROWS // 2}}
            if number % 2:
                assert http(struck.project, "/v1/jobs", key=key, order=order)[0] == 202
            else:
                client.submit(order)


def all_ended(struck: Struck, keys: list[str]) -> bool:
    with suppress(redis.RedisError, OperationalError, Unavailable, StopIteration):
        return all(state in {"DELIVERED", "FAILED", "PARTIAL", "CANCELLED"} for state in struck.states(keys))
    return False
