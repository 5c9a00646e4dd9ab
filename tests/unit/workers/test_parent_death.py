"""A child whose parent dies while it is being started."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a child outlives its parent")

CHILD = """
import os, signal, sys
from workers.parent_death import die_with_parent

signal.signal(signal.SIGTERM, lambda *_: None)  # as the supervisor has it, whose fork the child is
die_with_parent(eval(sys.argv[1]))
os.kill(os.getpid(), signal.SIGTERM)
print("lives on")
"""


def end_of_child(parent: str) -> tuple[int, bytes]:
    ended = subprocess.run([sys.executable, "-c", CHILD, parent], capture_output=True, check=False)
    return ended.returncode, ended.stdout


def test_child_whose_parent_has_died_ends_before_it_begins():
    assert end_of_child("0") == (0, b"")


def test_child_takes_no_handler_of_its_parent_for_its_own():
    assert end_of_child("os.getppid()") == (-signal.SIGTERM, b"")
