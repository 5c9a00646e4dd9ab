"""Who changed the installation: pauses, API keys, hooks. What was done to a job is in its own timeline."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from actorline.jobs.sender import Sender
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger

log = Logger("audit")

ENTRIES: Final = 10_000


@dataclass(frozen=True)
class AuditEntry:
    at: float
    event: str
    data: dict[str, Any]


def record(ledger: Ledger, event: str, sender: Sender, **facts: object) -> None:
    """Keep who did what, and log it."""
    data = {**facts, **sender.facts()}
    entry: Any = {"at": ledger.now(), "event": event, "data": json.dumps(data)}
    ledger.redis.xadd(ledger.name("audit"), entry, maxlen=ENTRIES, approximate=True)
    log.info(event, logger="audit", **data)


def read_audit(ledger: Ledger, limit: int) -> Iterator[AuditEntry]:
    """Yield the latest entries, the newest first."""
    for _, entry in ledger.redis.xrevrange(ledger.name("audit"), count=limit):
        yield AuditEntry(float(entry["at"]), entry["event"], json.loads(entry["data"]))
