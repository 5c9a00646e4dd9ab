"""Packing of commands that a signal may interrupt.

hiredis has the interpreter write each number as text, which first handles signals that have come. If a handler raises,
as that of Ctrl-C does, there is no text, and hiredis crashes the process (hiredis 3.5.0, src/pack.c).
"""

from typing import Any

from redis.connection import HiredisRespSerializer


class InterruptiblePacker(HiredisRespSerializer):
    """Gives hiredis no numbers: they are written here, where a handler may raise."""

    def pack(self, *args: Any) -> Any:
        texts: list[Any] = [repr(arg) if type(arg) is int or isinstance(arg, float) else arg for arg in args]
        return super().pack(*texts)
