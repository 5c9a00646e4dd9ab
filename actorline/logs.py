"""Loggers that load structlog at their first line: a command that logs nothing saves a tenth of a second."""

import sys
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from actorline.visible import visible

_BEFORE_THE_FIRST_LINE: Final[list[Callable[[], None]]] = []


def line_renderer() -> Any:
    """Return what makes a line of the log: text for a person at a terminal, JSON for whatever else reads it."""
    import structlog

    return text_renderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()


def text_renderer() -> Any:
    """Return what makes a line of text, in which nothing that an Actor said steers the terminal.

    Plain tracebacks: the pretty ones show local variables, and so inputs.
    """
    import structlog

    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)

    def render(logger: Any, method: str, fields: dict[str, Any]) -> str:
        told = structlog.processors.format_exc_info(logger, method, fields)
        shown = {name: visible(value) if isinstance(value, str) else value for name, value in told.items()}
        return console(logger, method, shown)

    return render


class Logger:
    """The logger of `structlog.get_logger`, made at its first use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, method: str) -> Any:
        return getattr(self._logger, method)

    @cached_property
    def _logger(self) -> Any:
        import structlog

        while _BEFORE_THE_FIRST_LINE:
            _BEFORE_THE_FIRST_LINE.pop()()
        return structlog.get_logger(self._name)


def before_the_first_line(configure: Callable[[], None]) -> None:
    """Configure structlog by `configure` when one of these loggers is first used."""
    _BEFORE_THE_FIRST_LINE[:] = [configure]
