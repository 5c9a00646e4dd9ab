"""Streams that can't be used: closed ones, a full disk, and a terminal that is gone."""

import subprocess
import sys

import pytest

PREPARED = "import os, sys; from actorline.cli.terminal.streams import prepare_streams; prepare_streams(); "


def run(script: str, redirections: str = "") -> "subprocess.CompletedProcess[str]":
    command = ["sh", "-c", f'exec "$0" -P -c "$1" {redirections}', sys.executable, script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_closed_streams_are_empty_and_take_everything():
    script = PREPARED + """print("rows"); print("told", file=sys.stderr); assert sys.stdin.read() == ""; os.fstat(2)"""
    assert run(script, "<&- >&- 2>&-").returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_output_that_is_not_written_is_told_without_a_traceback():
    script = "import actorline.cli.app as app; app.app = lambda: print('rows', flush=True); app.run_command()"
    done = run(script, ">/dev/full")
    assert (done.returncode, done.stderr.splitlines()) == (
        7,
        ["Standard output can't be written: No space left on device. What the command did is done."],
    )


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_message_that_cannot_be_shown_ends_nothing():
    done = run(PREPARED + """print("told", file=sys.stderr, flush=True); print("rows")""", "2>/dev/full")
    assert (done.returncode, done.stdout) == (0, "rows\n")


def test_reader_that_has_seen_enough_is_no_fault():
    script = (
        PREPARED
        + """
try:
    for _ in range(100_000): print("row")
except BrokenPipeError:
    os._exit(3)
"""
    )
    assert run(script, "| head -n 1").stdout == "row\n"
