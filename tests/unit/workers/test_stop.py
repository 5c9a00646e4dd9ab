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


STOPPED_WITHIN_A_MODULE = """
import os, signal, sys
from importlib.machinery import ModuleSpec

def load():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.getsignal(signal.SIGTERM)  # by now it has come
    except BaseException:
        raise RuntimeError("what a module in Rust makes of it")

class Loader:
    def find_spec(self, name, *_):
        return ModuleSpec(name, self) if name == "actorline.settings" else None
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        load()

sys.meta_path.insert(0, Loader())
from workers.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def test_stop_within_a_module_that_hides_it_ends_cleanly():
    """As pydantic_core does: it says that it can't be loaded, with a traceback."""
    command = [sys.executable, "-c", STOPPED_WITHIN_A_MODULE, "worker", "control"]
    ended = subprocess.run(command, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
