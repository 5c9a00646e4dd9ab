"""Loggers that load structlog for their first line: a command that logs nothing doesn't wait a tenth of a second."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

_BEFORE_THE_FIRST_LINE: Final[list[Callable[[], None]]] = []


class Logger:
    """What `structlog.get_logger` returns, made when it is used."""

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
    """Let structlog be configured when one of these loggers is used first."""
    _BEFORE_THE_FIRST_LINE[:] = [configure]
