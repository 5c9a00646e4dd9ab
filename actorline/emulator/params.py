"""Query parameters as the platform reads them (`docs/platform-facts.md#query-parameters`); others are 400."""

import math
from collections.abc import Collection, Mapping

from actorline.emulator.clock import parse_iso
from actorline.emulator.errors import invalid_value

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class Params:
    """The query of one request. An empty value counts as absent."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query

    def text(self, name: str) -> str | None:
        return self._query.get(name) or None

    def number(self, name: str) -> float | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise invalid_value(name, "a number")
        return number

    def integer(self, name: str, *, minimum: int = 0) -> int | None:
        number = self.number(name)
        if number is None:
            return None
        if not (number.is_integer() and number >= minimum):
            raise invalid_value(name, f"an integer of at least {minimum}")
        return int(number)

    def boolean(self, name: str) -> bool | None:
        text = self.text(name)
        if text is None:
            return None
        if text not in _BOOLEANS:
            raise invalid_value(name, "true, 1, false or 0")
        return _BOOLEANS[text]

    def flag(self, name: str) -> bool:
        return self.boolean(name) or False

    def names(self, name: str) -> tuple[str, ...]:
        """Return a comma-separated list."""
        return tuple(part.strip() for part in (self.text(name) or "").split(",") if part.strip())

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        chosen = self.text(name)
        if chosen is not None and chosen not in allowed:
            raise invalid_value(name, f"one of {', '.join(allowed)}")
        return chosen

    def choices(self, name: str, allowed: Collection[str]) -> tuple[str, ...]:
        chosen = self.names(name)
        if not set(chosen) <= set(allowed):
            raise invalid_value(name, f"a list of {', '.join(allowed)}")
        return chosen

    def time(self, name: str) -> float | None:
        """Return Unix seconds."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse_iso(text)
        except ValueError:
            raise invalid_value(name, "a time in ISO 8601") from None
