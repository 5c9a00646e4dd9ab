"""Numbers as people read them."""

from typing import Final

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
SECONDS_SHOWN: Final = 2 * MINUTE
HOURS_SHOWN: Final = 2 * DAY
PRECISE_BELOW_USD: Final = 10
KILO: Final = 1000


def age(seconds: float) -> str:
    """Return `8 s`, `5 min`, `3 h`, `12 d`."""
    if seconds < SECONDS_SHOWN:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.0f} h" if seconds < HOURS_SHOWN else f"{seconds / DAY:.0f} d"


def duration(seconds: float) -> str:
    """Return `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < MINUTE:
        return f"{seconds:.1f} s" if seconds < MINUTE / 6 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    if minutes < MINUTE:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def usd(amount: float | None) -> str:
    """Return `$0.0123` for small amounts, `$12.30` for others; "" for none."""
    if amount is None:
        return ""
    return f"${amount:,.4f}" if 0 < abs(amount) < PRECISE_BELOW_USD else f"${amount:,.2f}"


def number(value: float) -> str:
    return f"{value:,.0f}"


def size(count: float) -> str:
    """Return `512 B`, `1.2 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < KILO:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= KILO
    return f"{count:.3g} TB"


def counted(value: int, noun: str) -> str:
    """Return `1 row`, `1,200 rows`."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"
