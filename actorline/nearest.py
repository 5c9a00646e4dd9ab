"""Suggestions for misspelt names."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return ` (did you mean "every_secs"?)`, or an empty string."""
    folded = {name.lower(): name for name in known}
    similar = get_close_matches(wrong[:60].lower(), folded, n=1, cutoff=0.6)
    return f' (did you mean "{folded[similar[0]]}"?)' if similar else ""
