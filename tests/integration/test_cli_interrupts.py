"""Ctrl-C, SIGTERM and SIGKILL of `actorline run`: nothing goes on billing by accident, and no process is left."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

import pytest
from real_parts import wait_for
from redis import Redis
from terminal import ACTORLINE, Running, Terminal

from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.progress import ONE_WISH_SECS
from actorline.ledger.store import connect

LONG = {"duration_secs": 600, "items": 6000}


def ledger_of(terminal: Terminal) -> Redis:
    return connect(f"redis+socket://{terminal.home}/valkey.sock?virtual_host=2")


def start_run(terminal: Terminal, name: str, *options: str) -> tuple[Running, dict[str, str]]:
    """A command whose run goes on at the platform, as the ledger knows; and that run."""
    actor = terminal.emulator.actor(name, **LONG)
    command = terminal.run(*options, key=name, actor=actor)
    wait_for((terminal.home / "valkey.sock").exists, what="the stack's Valkey")
    with ledger_of(terminal) as redis:
        wait_for(
            lambda: redis.hget(f"actorline:job:{name}", "run_status") == "RUNNING", what="a run that the job knows"
        )
    (run,) = terminal.emulator.runs_of(actor)
    return command, run


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough)])
def test_interrupt_aborts_the_run_says_so_and_leaves_no_process(terminal, number):
    command, run = start_run(terminal, f"interrupted-{number.name.lower()}", "--json")
    command.signal(number)
    command.signal(signal.SIGHUP)  # at once, as a wrapper does: it means the same wish
    done = command.end()
    assert (done.code, done.json["state"], done.json["run_status"]) == (130, "CANCELLED", "ABORTED")
    assert terminal.emulator.run(run["id"])["status"] == "ABORTED"
    assert f"the run {run['id']} is ABORTED. See it again: actorline show {done.json['key']}" in done.err
    assert not terminal.processes()


@pytest.mark.thorough
def test_closed_terminal_aborts_the_run_and_leaves_no_process(terminal):
    actor = terminal.emulator.actor("hung-up", **LONG)
    order = ["run", "--document", terminal.document(key="hung-up", actor=actor)]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [ACTORLINE, *order],
        cwd=terminal.cwd,
        env=terminal.environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - it only makes it its terminal
    )
    os.close(theirs)

    def is_running() -> bool:
        while select.select([ours], [], [], 0)[0]:
            os.read(ours, 65_536)
        return [run["status"] for run in terminal.emulator.runs_of(actor)] == ["RUNNING"]

    wait_for(is_running, within=120, what="the run")
    os.close(ours)
    assert process.wait(120) == Exit.UNAVAILABLE  # the result can't be shown
    (run,) = terminal.emulator.runs_of(actor)
    assert run["status"] == "ABORTED"
    terminal.wait_until_empty()


@pytest.mark.thorough
def test_second_interrupt_does_not_wait_and_names_billing_runs(terminal, faults):
    command, run = start_run(terminal, "twice")
    faults({"method": "POST", "path_regex": "/abort$", "action": "status", "status": 500, "times": 1000})
    command.signal(signal.SIGINT)
    wait_for(lambda: "Interrupted" in command.err, what="the first interrupt seen")
    assert command.process.poll() is None
    seen = time.monotonic()
    wait_for(lambda: time.monotonic() > seen + ONE_WISH_SECS, what="the time of another wish")
    command.signal(signal.SIGINT)
    done = command.end()
    assert (done.code, done.out) == (130, "")
    assert f"Still being stopped: twice: the run {run['id']} is RUNNING, and may be billing" in done.err
    assert "actorline show twice" in done.err
    terminal.wait_until_empty()


@pytest.mark.thorough
def test_what_is_left_is_told_as_it_is_when_the_workers_have_ended(terminal, faults):
    actor = terminal.emulator.actor("left-later", **LONG)
    faults({"method": "POST", "path_regex": "left-later/runs$", "action": "delay", "secs": 4})
    command = terminal.run("--keep-on-interrupt", key="left-later", actor=actor)
    wait_for(lambda: terminal.emulator.runs_of(actor), within=120, what="the start")
    command.signal(signal.SIGINT)
    done = command.end()
    (run,) = terminal.emulator.runs_of(actor)
    assert f"1 job is unfinished: left-later (RUNNING, its run {run['id']} may be billing)." in done.err
    terminal.wait_until_empty()


@pytest.mark.thorough
def test_kept_run_goes_on_and_cancel_comes_back_to_it(terminal):
    command, run = start_run(terminal, "kept", "--keep-on-interrupt")
    command.signal(signal.SIGINT)
    done = command.end()
    assert (done.code, done.out) == (130, "")
    assert "was not stopped, and its run may be billing" in done.err
    assert "actorline up" in done.err
    assert "actorline show kept" in done.err
    left = f"1 job is unfinished: kept (RUNNING, its run {run['id']} may be billing). `actorline up` continues it"
    assert left in done.err
    assert terminal.emulator.run(run["id"])["status"] == "RUNNING"
    terminal.wait_until_empty()
    for command in (
        ("jobs",),
        ("show", "kept"),
        (),
        ("doctor",),
    ):  # at once: workers that were seen a moment ago are gone
        said = terminal(*command)
        assert "No control worker runs (last seen " in said.out + said.err
        assert left in said.out + said.err
    other = terminal.run(key="other", actor=terminal.emulator.actor("beside-kept", items=1, duration_secs=0.2)).end()
    assert (other.code, left in other.err) == (0, True)
    cancelled = terminal("cancel", "kept", "--json", within=120)
    assert (cancelled.code, cancelled.json["state"], cancelled.json["run_id"]) == (0, "CANCELLED", run["id"])
    assert terminal.emulator.run(run["id"])["status"] == "ABORTED"


@pytest.mark.thorough
def test_killed_command_leaves_no_process_and_the_next_continues(terminal):
    actor = terminal.emulator.actor("killed", items=1200, duration_secs=6)
    command = terminal.run(key="killed", actor=actor)
    (run,) = wait_for(lambda: terminal.emulator.runs_of(actor), within=120, what="the run")
    command.process.kill()
    terminal.wait_until_empty()
    done = terminal.run("--json", key="killed", actor=actor).end(120)
    assert (done.code, done.json["state"], done.json["run_id"]) == (0, "DELIVERED", run["id"])
    assert "killed already exists" in done.err
    assert len(terminal.emulator.starts(actor)) == 1


@pytest.mark.thorough
def test_killed_supervisor_ends_its_children_and_the_job_resumes(terminal):
    if sys.platform != "linux":
        pytest.skip("elsewhere a child outlives a supervisor that is killed")
    command, run = start_run(terminal, "orphaned")
    for process in (command.process.pid, terminal.child("workers stack")):
        subprocess.run(["kill", "-KILL", str(process)], check=True)
    command.process.wait()
    terminal.wait_until_empty()
    cancelled = terminal("cancel", "orphaned", "--json", within=120)
    assert (cancelled.json["state"], cancelled.json["run_id"]) == ("CANCELLED", run["id"])


@pytest.mark.thorough
def test_run_beside_a_reading_command_starts_its_own_workers(terminal):
    actor = terminal.emulator.actor("beside-a-reader", items=10, duration_secs=0)
    terminal.home.mkdir()
    with (terminal.home / "stack.users").open("a") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        command = [sys.executable, "-P", "-m", "workers", "stack", "--only-redis"]
        with subprocess.Popen(command, env=terminal.environment, stderr=subprocess.PIPE) as stack:
            assert stack.stderr.readline() == b"up: valkey\n"
            ordering = terminal.run(key="beside-a-reader", actor=actor)
            path = f"/v2/actors/{actor.replace('/', '~')}"
            wait_for(lambda: terminal.emulator.requests("GET", path), what="a command that looks for a stack")
            reader.close()
            stack.communicate(timeout=60)
    assert ordering.end().code == 0


@pytest.mark.thorough
def test_interrupt_aborts_although_redis_writes_nothing(terminal):
    command, run = start_run(terminal, "not-on-disk", "--json")
    with ledger_of(terminal) as redis:
        # a worker that begins later would refuse such a Redis, and the job wait for it
        wait_for(lambda: redis.hexists("actorline:workers", "fetch"), what="a fetch worker")
        redis.config_set("appendonly", "no")
    command.signal(signal.SIGINT)
    done = command.end()
    assert (done.code, done.json["state"], done.json["run_status"]) == (130, "CANCELLED", "ABORTED")
    assert terminal.emulator.run(run["id"])["status"] == "ABORTED"
    assert "Traceback" not in done.err
