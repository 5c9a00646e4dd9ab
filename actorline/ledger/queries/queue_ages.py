"""For how long the queues weren't empty, over the last hours: one sample a minute, made by upkeep."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from redis.exceptions import ResponseError

from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.tally import empty_at

SAMPLE_SECS: Final = 60
SAMPLES_KEPT: Final = 6 * 60  # six hours
TRIED_SECS: Final = 3  # of a minute: sweeps come every second, and most needn't ask whether the sample is there


@dataclass(frozen=True)
class Sample:
    """`at`: unix seconds; `ages`: kind of queue -> seconds since it was last seen empty, 0 if it was empty then."""

    at: float
    ages: Mapping[str, float]


def note_ages(ledger: Ledger, lengths: Mapping[str, int]) -> None:
    """Keep a sample, if this is the first sweep of a minute. `lengths`: messages by kind of queue."""
    now = ledger.now()
    if now % SAMPLE_SECS >= TRIED_SECS:
        return
    emptied = empty_at(ledger)
    ages: dict[str, float] = {kind: now - emptied[kind] if lengths[kind] else 0 for kind in lengths if kind in emptied}
    if not ages:
        return
    sample = {kind: round(max(age, 0)) for kind, age in ages.items()}
    try:
        minute = f"{int(now // SAMPLE_SECS)}-1"
        ledger.redis.xadd(ledger.name("queue_ages"), dict(sample), id=minute, maxlen=SAMPLES_KEPT, approximate=False)
    except ResponseError as error:
        if "equal or smaller" not in str(error):
            raise


def read_ages(ledger: Ledger) -> list[Sample]:
    """Return the samples, the oldest first; minutes in which no upkeep ran have none."""
    found = ledger.redis.xrange(ledger.name("queue_ages"))
    return [Sample(_at(minute), {kind: float(age) for kind, age in ages.items()}) for minute, ages in found]


def _at(minute: str) -> float:
    return int(minute.partition("-")[0]) * SAMPLE_SECS
