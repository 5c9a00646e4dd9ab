"""The result of one check of an installation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check; `fix` says what to do about a fault, or what would be better."""

    subject: str
    is_good: bool
    text: str
    fix: str = ""
