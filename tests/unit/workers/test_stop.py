"""A process that is told to stop while it is still starting."""

import subprocess
import sys

import pytest

STOPPED_WHILE_LOADING = """
import os, runpy, signal, sys

class Stop:
    def find_spec(self, name, *_):
        if name in {"actorline.settings", "actorline.emulator.app"}:
            os.kill(os.getpid(), getattr(signal, stop))

stop, process = sys.argv[1], sys.argv.pop(2)
del sys.argv[1]
sys.meta_path.insert(0, Stop())
runpy.run_module(process, run_name="__main__", alter_sys=True)
"""
COMMANDS = [
    ["workers", "beat"], ["workers", "worker", "control"], ["workers", "stack", "--stay"],
    ["workers", "flower", "127.0.0.1", "0"], ["actorline.gateway"], ["actorline.emulator", "--port", "0"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("stop", ["SIGTERM", "SIGINT"])
def test_stop_while_modules_are_loaded_ends_cleanly(command, stop):
    script = [sys.executable, "-c", STOPPED_WHILE_LOADING, stop, *command]
    ended = subprocess.run(script, capture_output=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, b"")


STOPPED_BEFORE_IT = """
import os, signal, sys
from actorline.cli import processes

execute = os.execve
def stopped(*arguments):
    os.kill(os.getpid(), signal.SIGINT)
    execute(*arguments)

os.execve = stopped
processes.become([sys.executable, "-P", "-m", *sys.argv[1:]], os.environ)
"""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_stop_before_a_command_has_become_its_process_is_kept(command):
    """Python's own start would show a traceback, for which a process has no handler yet."""
    script = [sys.executable, "-c", STOPPED_BEFORE_IT, *command]
    ended = subprocess.run(script, capture_output=True, check=False, timeout=60)
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
