"""Text from outside in a terminal: what would steer it is shown instead of obeyed."""

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

_KEPT: Final = "\t\n"
_STEERING: Final = frozenset({"Cc", "Zl", "Zp"})  # C0, C1 and DEL; separators of lines and paragraphs
_BIDI: Final = frozenset({0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)})
_CODES: Final = [
    code
    for code in range(0x2100)
    if code in _BIDI or (unicodedata.category(chr(code)) in _STEERING and chr(code) not in _KEPT)
]
_SHOWN: Final[Mapping[int, str]] = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004 - what one byte holds
    for code in _CODES
}
_JSON: Final[Mapping[int, str]] = {code: f"\\u{code:04x}" for code in _CODES}


def visible(text: str) -> str:
    """Return the text with an escape for each control character and each change of direction."""
    return text.translate(_SHOWN)


def visible_json(text: str) -> str:
    """Return the same JSON with such characters as JSON's own escapes; outside of strings it has none."""
    return text.translate(_JSON)


class SafeConsole(Console):
    """A console that writes no control characters but its own."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)
