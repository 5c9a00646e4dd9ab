"""A terminal for untrusted text, whose lines break between words."""

import re
from collections.abc import Iterator
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from actorline.visible import visible

_COLUMN: Final = re.compile(r"\s\s+(?=\S)|^\s+")
_WORD: Final = re.compile(r"\S+\s*")


class SafeConsole(Console):
    """A console that writes only its own control characters, and on a terminal breaks lines only between words."""

    def render_str(self, text: str, **options: Any) -> Text:
        shown = super().render_str(visible(text), **options)
        return broken_between_words(shown, self.width) if self.is_terminal else shown


def broken_between_words(text: Text, width: int) -> Text:
    """Return the text with line breaks to fit the width. A longer word, such as a URL, stays whole.

    A continuation is aligned with the last column of its line: after the last two spaces in the left half.
    """
    return Text("\n").join(piece for line in text.split("\n", allow_blank=True) for piece in _pieces(line, width))


def _pieces(line: Text, width: int) -> Iterator[Text]:
    column = max((found.end() for found in _COLUMN.finditer(line.plain) if found.end() <= width // 2), default=0)
    start, used = 0, len(line.plain) - len(line.plain.lstrip())
    for word in _WORD.finditer(line.plain):
        size = cell_len(word[0])
        if used + cell_len(word[0].rstrip()) > width and word.start() > max(start, column if not start else 0):
            yield _piece(line, start, word.start(), column)
            start, used = word.start(), column
        used += size
    yield _piece(line, start, len(line.plain), column)


def _piece(line: Text, start: int, end: int, column: int) -> Text:
    piece = line[start:end]
    piece.rstrip()
    return Text(" " * column).append_text(piece) if start else piece
