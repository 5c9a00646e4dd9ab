"""JSON nested more deeply than the parsers go: orjson stops at 1,024 levels, `json` at Python's recursion limit.

The text is taken apart where it is deep. Each piece is shallow enough for `json`, which checks it; the innermost are
parsed first, and `NaN`, which JSON doesn't have, holds their places in the text around them.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

JSON_BLOCK_BYTES: Final = 64 * 1024
PIECE_LEVELS: Final = 200  # far below Python's recursion limit of 1,000, of which the caller has used up a part

_MARK: Final = re.compile(r'[\[\]{}]|NaN|Infinity|"(?>[^"\\]+|\\.)*+"', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


def is_closed(text: bytes) -> bool:
    """Return whether all quotes and brackets are closed, so that nothing is missing behind an object or an array."""
    unescaped = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    braces = brackets = is_inside = 0
    for start in range(
        0, len(unescaped), JSON_BLOCK_BYTES
    ):  # in blocks: of a text of nothing but quotes the pieces are many
        pieces = unescaped[start : start + JSON_BLOCK_BYTES].split(b'"')
        outside = b"".join(pieces[is_inside::2])
        is_inside = (is_inside + len(pieces) - 1) % 2
        braces += outside.count(b"{") - outside.count(b"}")
        brackets += outside.count(b"[") - outside.count(b"]")
    return not (is_inside or braces or brackets)


def parse_deep(line: bytes, *, raw_below: int | None = None) -> Any:
    """Return the value of a JSON text of any depth. Raises ValueError.

    `raw_below`: arrays and objects with that many others around them become `orjson.Fragment`s of their text, which
    orjson writes as it is; integers beyond 64 bits become floats then, as orjson reads them.
    """
    text = line.decode()
    levels = raw_below or PIECE_LEVELS
    integer = int if raw_below is None else _narrow
    pieces = [_Piece(depth=0, is_raw=False)]
    depth = done = 0
    for match in _MARK.finditer(text):
        mark, piece = match[0], pieces[-1]
        if mark in {"[", "{"}:
            if depth == piece.depth + levels and not piece.is_raw:
                piece.texts.append(text[done : match.start()])
                done = match.start()
                pieces.append(_Piece(depth, is_raw=raw_below is not None))
            depth += 1
        elif mark in {"]", "}"}:
            depth -= 1
            if depth == piece.depth > 0:
                piece.texts.append(text[done : match.end()])
                done = match.end()
                pieces.pop()
                pieces[-1].hold(piece.value(integer))
        elif not mark.startswith('"'):
            raise ValueError(f"{mark} is not JSON")
    if len(pieces) > 1:
        raise ValueError("a bracket is never closed")
    pieces[0].texts.append(text[done:])
    return pieces[0].value(integer)


def with_whole_characters(line: bytes) -> bytes:
    """Return the text with U+FFFD for each escape that is half a surrogate pair, as JavaScript writes them."""
    return _ESCAPE.sub(lambda match: b"\\ufffd" if match[1] else match[0], line)


@dataclass
class _Piece:
    """A part of the text, which begins at a depth; `inner`: the values whose places it holds."""

    depth: int
    is_raw: bool
    texts: list[str] = field(default_factory=list)
    inner: list[Any] = field(default_factory=list)

    def hold(self, value: Any) -> None:
        self.texts.append("NaN")
        self.inner.append(value)

    def value(self, integer: Callable[[str], Any]) -> Any:
        text = "".join(self.texts)
        if self.is_raw:
            return orjson.Fragment(text)
        inner = iter(self.inner)
        return json.loads(text, parse_constant=lambda _: next(inner), parse_int=integer)


def _narrow(digits: str) -> int | float:
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(digits)
