"""Untrusted text, in which control characters are shown instead of executed by a terminal."""

from collections.abc import Mapping
from typing import Final

_KEPT: Final = "\t\n"
_STEERING: Final = frozenset({*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029})  # for good: Cc, Zl, Zp
_BIDI: Final = frozenset({0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)})
_CODES: Final = sorted((_BIDI | _STEERING) - {ord(each) for each in _KEPT})
_SHOWN: Final[Mapping[int, str]] = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004 - what one byte holds
    for code in _CODES
}
_JSON: Final[Mapping[int, str]] = {code: f"\\u{code:04x}" for code in _CODES}


def visible(text: str) -> str:
    """Return the text with an escape for each control character and each change of direction."""
    return text.translate(_SHOWN)


def visible_json(text: str) -> str:
    """Return the same JSON with those characters as JSON escapes; outside strings there are none."""
    return text.translate(_JSON)
