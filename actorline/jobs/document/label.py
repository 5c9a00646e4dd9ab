"""A label as people write it: `name=value` or `name:value`, by the first of both signs; a name has neither."""

import re
from typing import Final

_SIGN: Final = re.compile("[=:]")


def parse_label(text: str) -> tuple[str, str] | None:
    """Return the label's name and value; None: there is no sign, or no name before it."""
    name, *value = _SIGN.split(text, maxsplit=1)
    return (name, value[0]) if name and value else None
