"""Whether the ledger is the one that was written last: judged by the server's own id and by a beat, not by its age."""

from dataclasses import dataclass
from typing import Final

from actorline.ledger.ledger import Ledger

BEAT_OLD_SECS: Final = 60.0  # upkeep beats once a second; after a minute it is unknown what happened to Redis
GAPS_KEPT: Final = 50


@dataclass(frozen=True)
class HistoryGap:
    """A break in the ledger's history. `id`: grows with each one; `seen_at`: unix seconds; what is written later, by
    whoever knows of the gap, isn't lost by it.
    """

    id: str

    @property
    def seen_at(self) -> float:
        return float(self.id)


def write_beat(ledger: Ledger, *, unknown_s: float) -> HistoryGap:
    """Write a beat, and return the last break. A ledger without any history is one: `unknown_s` may be lost then."""
    gap, beat = ledger.run_script("continuity", *beat_arguments(ledger, unknown_s=unknown_s))
    ledger.last_beat = float(beat)
    return HistoryGap(gap)


def beat_arguments(ledger: Ledger, *, unknown_s: float) -> tuple[list[str], list[float]]:
    """Return the keys and arguments of `lua/history.lua`."""
    keys = [ledger.name("continuity"), ledger.name("gaps")]
    return keys, [ledger.last_beat, BEAT_OLD_SECS, unknown_s, GAPS_KEPT]


def lost_since(ledger: Ledger, after: str | None) -> float | None:
    """Return the unix seconds since when the gaps after one may have lost writes; None if there is none."""
    gaps = ledger.redis.zrange(ledger.name("gaps"), 0, -1, withscores=True)
    return min((since for gap, since in gaps if after is None or float(gap) > float(after)), default=None)
