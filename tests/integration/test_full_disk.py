"""Redis's disk is full: nothing is started, it is told what to do, and a job waits and goes on when there is room."""

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_parts import wait_for
from terminal import Terminal, running_valkey

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="a full disk is made by a limit of the Linux kernel"),
]


class Disk:
    """What a server's append-only file may grow to: the limit takes the place of a disk that is full."""

    def __init__(self, folder: Path, pid: int) -> None:
        self._folder, self._pid = folder, pid

    def fill(self) -> None:
        self._limit(max(path.stat().st_size for path in (self._folder / "appendonlydir").iterdir()))

    def clear(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.fixture
def disk(short_folder: Path) -> Iterator[Disk]:
    with running_valkey(short_folder) as valkey:
        wait_for(lambda: list(short_folder.glob("appendonlydir/*.manifest")), what="the append-only file")
        yield Disk(short_folder, valkey.pid)


@pytest.fixture
def shop(terminal: Terminal, disk: Disk, short_folder: Path) -> Terminal:
    """A terminal at that server."""
    terminal.environment["ACTORLINE_REDIS_URL"] = f"redis+socket://{short_folder}/s"
    return terminal


@pytest.fixture
def workers(shop: Terminal) -> Iterator[None]:
    """Somebody who does the jobs, so that no command brings up a stack for as long as it takes."""
    worker = shop.start("worker")
    wait_for(lambda: "worker_ready" in worker.out_file.read_text() + worker.err, what="the worker")
    yield
    worker.process.terminate()
    worker.end()


def test_full_disk_starts_nothing_and_says_what_to_do(shop, disk):
    actor = shop.emulator.actor("no-room", items=1)
    disk.fill()
    first = shop("run", actor, "--key", "no-room")  # the server has not written since, and doesn't know yet
    second = shop("run", actor, "--key", "no-room", "--json")
    assert (first.code, second.code, first.out) == (7, 7, "")
    assert "Traceback" not in first.err
    for message in (first.err, second.json["reason"]["message"]):
        assert "can't write to its own disk; free some space there. Nothing was started." in message
    disk.clear()
    wait_for(lambda: shop("jobs", "--json").err == "", what="a server that writes again")
    assert shop("jobs", "--json").out == ""
    assert shop.emulator.starts(actor) == []


def test_full_disk_hides_no_job_and_keeps_no_run_billing(shop, disk, workers):
    actor = shop.emulator.actor("no-room-to-cancel", items=1, duration_secs=600)
    assert shop.run("--no-wait", key="no-room-to-cancel", actor=actor).end().code == 0
    wait_for(lambda: shop("show", "no-room-to-cancel", "--json").json["run_status"] == "RUNNING", what="the first poll")
    (run,) = shop.emulator.runs_of(actor)
    disk.fill()
    wait_for(
        lambda: "can't write to its own disk" in shop("jobs").err, what="a server that knows that its disk is full"
    )
    shown = shop("show", "no-room-to-cancel", "--json")
    assert (shown.code, shown.json["state"]) == (0, "RUNNING")
    cancelled = shop("cancel", "no-room-to-cancel", "--json")
    assert (cancelled.code, "repeat it when Redis works again" in cancelled.json["reason"]["message"]) == (7, True)
    assert "1 run aborted at the platform" in cancelled.err
    wait_for(lambda: shop.emulator.run(run["id"])["status"] == "ABORTED", what="the run's end")
    disk.clear()
    wait_for(lambda: shop("show", "no-room-to-cancel", "--json").json["reason"], what="the job's end")
    assert len(shop.emulator.starts(actor)) == 1


def test_job_waits_for_a_full_disk_and_continues_with_room(shop, disk, workers):
    """With a worker that nobody starts again."""
    actor = shop.emulator.actor("no-room-soon", items=300, duration_secs=600)
    running = shop.run(key="no-room-soon", actor=actor)
    (run,) = wait_for(lambda: shop.emulator.runs_of(actor), what="the run")
    disk.fill()
    shop.emulator.finish(run["id"])
    wait_for(lambda: "it refuses writes" in running.err, what="a word to the user")
    assert "Jobs wait for that, and continue by themselves" in " ".join(running.err.split())
    disk.clear()
    assert running.end().code == 0
    assert len(shop.emulator.starts(actor)) == 1


def test_interrupt_that_cannot_be_written_names_billing_runs(shop, disk, workers):
    actor = shop.emulator.actor("no-room-to-stop", items=1, duration_secs=600)
    running = shop.run("--json", key="no-room-to-stop", actor=actor)
    (run,) = wait_for(lambda: shop.emulator.runs_of(actor), what="the run")
    wait_for(lambda: shop("show", "no-room-to-stop", "--json").json["run_status"] == "RUNNING", what="the first poll")
    disk.fill()
    wait_for(lambda: "it refuses writes" in running.err, what="a server that knows that its disk is full")
    running.process.terminate()
    done = running.end()
    assert done.code == 7
    assert done.json["reason"]["billed"] is True
    assert f"Meanwhile {run['id']} may be billing: check in the platform's console." in done.json["reason"]["message"]
    assert "See it again: actorline show no-room-to-stop" in done.json["reason"]["message"]
    disk.clear()
    assert shop("cancel", "no-room-to-stop", "--json").json["state"] == "CANCELLED"
    assert shop.emulator.run(run["id"])["status"] == "ABORTED"
