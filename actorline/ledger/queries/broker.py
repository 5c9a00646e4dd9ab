"""What the broker holds, and how Redis is set: for those who only look."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import redis

from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.queue_names import queue_kinds

STEPS: Final = ("", "\x06\x163", "\x06\x166", "\x06\x169")
"""What kombu puts behind a queue's name, for each priority."""
OTHER_APPS: Final = "unacked"  # Celery's default name; ours is our own
CLIENT_SECS: Final = 3.0


@dataclass(frozen=True)
class Broker:
    """`messages`: waiting, by kind of queue; `left`: held by nobody who lives; `is_shared`: with another Celery app."""

    messages: Mapping[str, int]
    left: int
    is_shared: bool


def read_broker(address: str, namespace: str, *, left_before: float) -> Broker:
    """Read it. `left_before`: what workers hold and didn't renew since then, in unix seconds, nobody holds.

    Raises redis.RedisError.
    """
    client = connect(address, socket_timeout_s=CLIENT_SECS, retries=0)
    try:
        messages = {
            kind: sum(client.llen(queue + step) for step in STEPS) for kind, queue in queue_kinds(namespace).items()
        }
        left = client.zcount(f"{namespace}.unacked_index", "-inf", left_before)
        return Broker(messages, left, bool(client.exists(OTHER_APPS)))
    finally:
        client.close()


def fsync_policy(ledger: Ledger) -> str | None:
    """Return Redis's `appendfsync`; None where asking for it isn't allowed."""
    try:
        found: Mapping[str, str] = ledger.redis.config_get("appendfsync")
    except redis.ResponseError:
        return None
    return found.get("appendfsync")
