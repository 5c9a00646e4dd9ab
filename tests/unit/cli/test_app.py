import builtins
import json
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from actorline import __version__
from actorline.cli import main
from actorline.cli.app import app
from actorline.cli.commands import COMMANDS, DeferredCommand
from actorline.cli.terminal.exits import Exit


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


def test_fault_of_our_own_is_told_as_ours(monkeypatch, capsys):
    def broken() -> None:
        raise RuntimeError("\x1b[2J")

    monkeypatch.setattr("actorline.cli.app.app", broken)
    monkeypatch.setattr(sys, "argv", ["actorline", "jobs", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert (ended.value.code, json.loads(printed.out)["reason"]["code"]) == (70, "internal")
    assert "in broken" in printed.err
    assert "\x1b" not in printed.err


@pytest.mark.parametrize("name", COMMANDS)
def test_listed_help_is_the_commands_own(name):
    command = DeferredCommand(name, COMMANDS[name]).load()
    assert command.name == name
    assert command.help.replace("\n", " ").startswith(COMMANDS[name].help.removesuffix("."))


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_and_argument_has_a_help(name):
    command = DeferredCommand(name, COMMANDS[name]).load()
    for each in (command, *getattr(command, "commands", {}).values()):
        assert {parameter.name for parameter in each.params if not parameter.help} == set(), each.name


def test_help_is_whole_at_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["actorline", "-h"])
    with pytest.raises(SystemExit):
        main()
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...") and "Usage:" not in line]


def loaded_by(script: str, *arguments: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after the script."""
    script = f"import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {script}"
    ended = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    return set(ended.stderr.split())


HELP_OF_EACH = [[*words.split(), "--help"] for words in ("run", "jobs", "doctor", "keys", "keys create", "up")]


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], *HELP_OF_EACH], ids=" ".join)
def test_version_and_help_load_no_library(arguments):
    loaded = loaded_by("from actorline.cli import main; main()", *arguments)
    assert not loaded & {"redis", "celery", "kombu", "pydantic", "requests", "structlog", "rich", "asyncio"}


def test_help_and_tab_load_nothing_that_does_the_work():
    load_all = "[DeferredCommand(name, entry).load() for name, entry in COMMANDS.items()]"
    loaded = loaded_by(f"from actorline.cli.commands import *; {load_all}")
    libraries = {"redis", "celery", "kombu", "requests", "structlog", "rich", "pydantic_settings", "limits", "asyncio"}
    ours = {"actorline.settings", "actorline.errors", "actorline.jobs.document.job_document", "actorline.ledger.ledger"}
    assert not loaded & (libraries | ours)


def test_commands_of_the_ledger_load_no_clients():
    administration = [f"administration.{each}" for each in ("pause", "audit", "accounts")]
    modules = ["jobs", "watch", "retry", *administration]
    loaded = loaded_by(";".join(f"import actorline.cli.{module}" for module in modules))
    clients = {"celery", "kombu", "requests", "urllib3", "obstore"}
    assert not loaded & (clients | {"structlog", "pyarrow", "isal", "rich.live"})


@pytest.mark.parametrize("module", ["jobs", "watch", "overview"])
def test_what_most_ledgers_lack_is_not_loaded_for_a_look(module):
    loaded = loaded_by(f"import actorline.cli.{module}")
    assert not loaded & {"celery", "kombu", "actorline.batches.document", "actorline.schedules.schedule"}
    assert not loaded & {"actorline.platform.runs", "platformdirs", "rich.live"}


def test_tab_completes_commands_and_options(monkeypatch, capsys):
    def completed(words: str, position: int) -> list[str]:
        monkeypatch.setenv("_ACTORLINE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words.replace(" ", "\n"))
        monkeypatch.setenv("COMP_CWORD", str(position))
        monkeypatch.setattr(sys, "argv", ["actorline"])
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out.split()

    assert completed("actorline sh", 1) == ["show"]
    assert completed("actorline keys cr", 2) == ["create"]
    assert "--state" in completed("actorline jobs --s", 2)


def test_a_wrong_choice_is_refused_in_plain_words():
    done = CliRunner().invoke(app, ["jobs", "--state", "FAILD"])
    assert done.exit_code == 2
    assert "Invalid value for '--state': 'FAILD' is not one of 'queued'," in done.output
