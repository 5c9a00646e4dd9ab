"""What Redis's settings and the broker's queues tell of promises that are weaker than they could be."""

import time
from collections.abc import Iterator, Mapping
from typing import Final

from actorline.checks.finding import Finding
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.broker import fsync_policy, read_broker
from actorline.queue_names import queue_kinds
from actorline.settings import Settings
from actorline.upkeep.unattended import UNSEEN_SECS

CLOCK_MAX_SECS: Final = 5.0  # more, and a worker refuses to start: workers/preflight.py
USUAL_HZ: Final = 100  # at so many ticks an order waits 10 ms for the disk
NEVER_SEEN_SECS: Final = float("inf")


def check_settings_of_redis(ledger: Ledger) -> Iterator[Finding]:
    """Yield what makes Redis slow or its clock useless."""
    hz = ledger.server().hz
    if 0 < hz < USUAL_HZ:
        text = f"hz is {hz}, so each order waits up to {1000 // hz} ms for the disk"
        yield Finding("redis", is_good=True, text=text, fix="CONFIG SET hz 500, and in redis.conf.")
    if fsync_policy(ledger) == "no":
        text = "appendfsync is no, so what is written may be lost, and starts wait for the disk in vain"
        yield Finding("redis", is_good=False, text=text, fix="CONFIG SET appendfsync everysec, and in redis.conf.")
    ahead = time.time() - ledger.now()
    if abs(ahead) > CLOCK_MAX_SECS:
        text = f"this machine's is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} Redis's"
        fix = "Set both (NTP): a worker here refuses to start, because others would look dead to it."
        yield Finding("clock", is_good=False, text=text, fix=fix)


def check_queues(settings: Settings, unseen_s: Mapping[str, float], *, has_workers: bool = True) -> Iterator[Finding]:
    """Yield messages that nobody takes. `unseen_s`: kind of queue -> seconds since a worker of it was seen;
    `has_workers`: some should be running, so that messages don't wait.
    """
    left_before = time.time() - 4 * settings.visibility_timeout_secs - UNSEEN_SECS
    broker = read_broker(settings.broker, settings.namespace, left_before=left_before)
    for kind, number in broker.messages.items():
        if has_workers and number and unseen_s.get(kind, NEVER_SEEN_SECS) > UNSEEN_SECS:
            queue = queue_kinds(settings.namespace)[kind]
            messages = "1 message" if number == 1 else f"{number:,} messages"
            text = f"{messages} in {queue}, and no worker takes any"
            fix = f"Start one: actorline worker {'fetch' if kind == 'fetch' else 'control'}."
            yield Finding("queues", is_good=False, text=text, fix=fix)
    if has_workers and broker.left:
        text = f"{broker.left:,} of a dead worker's messages were not given back"
        yield Finding("queues", is_good=False, text=text, fix="Any worker does so within seconds: start one.")
    if broker.is_shared:
        text = "another Celery app keeps what its workers hold in the broker's database, too"
        fix = "It must not use our queues' names. A database of its own is better: ACTORLINE_REDIS_URL=.../N."
        yield Finding("queues", is_good=True, text=text, fix=fix)
