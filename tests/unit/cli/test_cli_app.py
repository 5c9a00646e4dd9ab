import builtins
import sys
from typing import Any

import pytest

from actorline import __version__
from actorline.cli import main
from actorline.cli.exits import Exit


def test_version_is_told(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["actorline", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().out) == (0, f"actorline {__version__}\n")


def test_interrupt_while_the_command_is_loaded_is_no_traceback(monkeypatch):
    load = builtins.__import__

    def interrupted(name: str, *rest: Any) -> Any:
        if name == "actorline.cli.app":
            raise KeyboardInterrupt
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == Exit.INTERRUPTED
