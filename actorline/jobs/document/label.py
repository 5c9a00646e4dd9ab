"""Labels as people write them: `name=value` or `name:value`, by the first of both signs; a name has neither."""

import re
from collections.abc import Iterable
from typing import Final

_LABEL: Final = re.compile("([^=:]+)[=:](.*)", re.DOTALL)


def parse_labels(labels: Iterable[str]) -> dict[str, str]:
    """Return the labels by name. Raises ValueError with one that has no sign, or no name before it."""
    found = {}
    for label in labels:
        parts = _LABEL.fullmatch(label)
        if parts is None:
            raise ValueError(label)
        found[parts[1]] = parts[2]
    return found
