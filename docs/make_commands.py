"""Writes docs/commands.md, the reference of the commands and their options, from what `--help` says of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from actorline.cli.commands import COMMANDS, DeferredCommand

TARGET: Final = Path(__file__).with_name("commands.md")

HEAD: Final = """<!-- Made by docs/make_commands.py from what `--help` says (`make docs`). -->
# Commands and options

Each command with all that it takes, as `--help` says it. For what you usually need, see
[the command line](terminal.md). Without a command, `actorline` says what is going on. `actorline --version` names the
version, and `actorline --install-completion` teaches Tab in bash, zsh and fish.
"""


def commands_text() -> str:
    """Return the page."""
    return HEAD + "".join(
        _sections(DeferredCommand(name, entry).load(), f"actorline {name}") for name, entry in COMMANDS.items()
    )


def _sections(command: Any, name: str, level: int = 2) -> str:
    """Return a command's section, and below it those of its own commands."""
    parts = [f"\n{'#' * level} {name.removeprefix('actorline ')}\n\n{command.help.strip()}\n"]
    inner = getattr(command, "commands", {})
    if not inner:
        context = typer.Context(command, info_name=name)
        parts.append(f"\n`{' '.join([name, *command.collect_usage_pieces(context)])}`\n")
        if rows := list(_rows(command, context)):
            parts.append(
                "\n| | |\n|---|---|\n" + "".join(f"| `{_cell(of)}` | {_cell(meaning)} |\n" for of, meaning in rows)
            )
    return "".join(parts) + "".join(_sections(each, f"{name} {within}", level + 1) for within, each in inner.items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")  # GitHub ends a cell at a bar also within code


def _rows(command: Any, context: typer.Context) -> Iterator[tuple[str, str]]:
    """Return what each argument and then each option is called, and what it means."""
    for param in sorted(command.get_params(context), key=lambda each: each.param_type_name):
        name, meaning = param.get_help_record(context)
        if "--help" not in param.opts:
            is_argument = param.param_type_name == "argument"
            yield (param.display_name_raw if is_argument else name), meaning


if __name__ == "__main__":
    TARGET.write_text(commands_text())
