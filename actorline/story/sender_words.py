"""Who sent a request, in words."""

from collections.abc import Mapping
from typing import Final

WITHOUT_KEY: Final[Mapping[str, str]] = {
    "(local)": "a program on this machine, without a key",
    "(operator)": "the operator's key",
}


def sender_words(holder: str) -> str:
    """Return an API key's name, or what a sender without one is called."""
    return WITHOUT_KEY.get(holder, holder)
