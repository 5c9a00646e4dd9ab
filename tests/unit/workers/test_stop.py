"""A process that is told to stop while it is still starting."""

import subprocess
import sys

import pytest

STOPPED_WHILE_LOADING = """
import os, signal, sys

class Stop:
    def find_spec(self, name, *_):
        if name == "actorline.settings":
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Stop())
from workers.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", [["beat"], ["worker", "control"]], ids=" ".join)
def test_stop_while_modules_are_loaded_ends_cleanly(command):
    ended = subprocess.run([sys.executable, "-c", STOPPED_WHILE_LOADING, *command], capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
