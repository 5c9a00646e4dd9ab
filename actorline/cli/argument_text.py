"""What is typed behind a command must be text. A path may have any bytes: files are named so."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import typer
from typer.core import TyperCommand

SHOWN_CHARS: Final = 60
PATHS: Final[Mapping[str | None, Callable[[str], bool]]] = {
    "FILE": lambda _: True,
    "FOLDER": lambda value: "://" not in value,
    "JSON": lambda value: value.startswith("@"),
    "KEY|URL": lambda value: "/" in value,
}
"""By metavar of each parameter that may name a file or a folder: whether a value does."""


class TextCommand(TyperCommand):
    """A command that refuses bytes which aren't text before it does anything."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments. Raises `typer.BadParameter` that says which of them isn't text."""
        rest = super().parse_args(ctx, args)
        for param in self.params:
            given: Any = ctx.params.get(param.name)
            for value in given if isinstance(given, list | tuple) else [given]:
                if isinstance(value, str) and not (is_text(value) or names_file(param.metavar, value)):
                    raise typer.BadParameter(_refusal(value), ctx=ctx, param=param)  # type: ignore[arg-type]
        return rest


def is_text(value: str) -> bool:
    """Return whether it is text: Python keeps a byte that the terminal's encoding doesn't know as half a character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def names_file(metavar: str | None, value: str) -> bool:
    """Return whether the value of a parameter with this metavar is a file's or a folder's path."""
    return metavar in PATHS and PATHS[metavar](value)


def _refusal(value: str) -> str:
    encoding = sys.getfilesystemencoding()
    shown = os.fsencode(value).decode(encoding, errors="backslashreplace")[:SHOWN_CHARS]
    return f"'{shown}' has bytes that aren't text in the terminal's encoding, {encoding}. Nothing was done."
