"""Bytes that aren't text in the terminal's encoding: refused with their argument, except in paths."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from actorline.cli.app import app
from actorline.cli.argument_text import TextCommand
from actorline.cli.commands import COMMANDS, DeferredCommand

CAFE = os.fsdecode(b"caf\xe9")


def all_commands() -> Iterator[Any]:
    for name, entry in COMMANDS.items():
        command = DeferredCommand(name, entry).load()
        yield from getattr(command, "commands", {name: command}).values()


def test_every_command_checks_what_it_is_given():
    assert {each.name for each in all_commands() if not isinstance(each, TextCommand)} == set()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["jobs", "--label", f"name={CAFE}"], "'--label': 'name=caf\\xe9'"),
        (["jobs", "--account", CAFE, "--json"], "'--account'"),
        (["jobs", "--actor", CAFE], "'--actor'"),
        (["show", CAFE], "'KEY'"),
        (["cancel", "good", CAFE], "'KEY'"),
        (["resume", "--account", CAFE], "'--account'"),
        (["keys", "revoke", CAFE], "'NAME'"),
        (["webhooks", "remove", CAFE], "'ID'"),
        (["guard", "suggest", "--schedule", CAFE], "'--schedule'"),
        (["run", "demo/x", "-i", f'"{CAFE}"'], "'-i' / '--input'"),
        (["run", "demo/x", "-o", f"s3://rows/{CAFE}"], "'-o' / '--out'"),
        (["run", "demo/x", "--inputs", f"https://example.com/{CAFE}"], "'--inputs'"),
        (["verify", CAFE], "'KEY|URL'"),
    ],
)
def test_bytes_that_are_no_text_are_wrong_usage(tmp_path, monkeypatch, arguments, named):
    monkeypatch.setenv("ACTORLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ACTORLINE_REDIS_URL", "redis://127.0.0.1:1/0")
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2, done.output
    assert f"Invalid value for {named}" in done.output
    assert "has bytes that aren't text in the terminal's encoding, utf-8. Nothing was done." in done.output


@pytest.mark.parametrize(
    "words",
    [
        ["run", "demo/x", "-i", f"@{CAFE}"],
        ["run", "--document", CAFE],
        ["run", "demo/x", "-o", f"{CAFE}/rows"],
        ["submit", CAFE],
        ["batch", CAFE],
        ["verify", f"./{CAFE}"],
        ["emulator", "--profile", CAFE],
    ],
)
def test_a_path_may_have_any_bytes(words):
    name, *arguments = words
    assert DeferredCommand(name, COMMANDS[name]).make_context(name, arguments).params
