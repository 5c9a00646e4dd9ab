"""The platform's rates, shared by all workers: a number of requests a second for each dataset and store.

A worker alone can't know how often the others ask. The bucket is in Redis, learns the platform's own figure, and is
closed for everybody when the platform says 429.
"""

import time
from typing import Final

import redis
from limits import RateLimitItemPerSecond
from limits.strategies import MovingWindowRateLimiter

from actorline.ledger.admission.limit_storage import LimitStorage
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform.client import RateFacts
from actorline.platform.errors import RateLimited

log = Logger(__name__)

# Requests a second: docs/platform-facts.md#rate-limits
PER_SECOND: Final = {"datasets": 60, "key-value-stores": 60, "records": 200}
LEARNED_SECS: Final = 3600
RATE_HOLD_SECS: Final = 0.5  # after a 429 that names no other: docs/platform-facts.md#back-off
HELD_LOOK_SECS: Final = 0.05
RATE_WAIT_MAX_SECS: Final = 30.0  # a waiting thread does nothing else, and its caller can come back later
TURN_MAX_SECS: Final = 1.0  # no place in a rate is further away: a longer wait is what the platform asked for


class RedisGovernor:
    """Lets a request wait for its turn. Without Redis it lets everything pass: the platform still says 429."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._limiter = MovingWindowRateLimiter(LimitStorage(ledger, "rates"))

    def wait_for_turn(self, path: str) -> None:
        """Return when a request to `path` may go out. Raises RateLimited instead, with what is left of it, where the
        platform asked for a longer wait.
        """
        resource = resource_of(path)
        if resource is None:
            return
        deadline = time.monotonic() + RATE_WAIT_MAX_SECS
        try:
            while (seconds := self._seconds_to_wait(*resource)) > 0 and time.monotonic() < deadline:
                if seconds > max(deadline - time.monotonic(), TURN_MAX_SECS):
                    words = f"No request was sent: the platform asked to wait, for another {seconds:.0f} s"
                    raise RateLimited(words, retry_after_s=seconds)
                time.sleep(min(seconds, TURN_MAX_SECS))
        except redis.RedisError as error:
            log.warning("rate_not_kept", error=type(error).__name__)

    def learn(self, path: str, facts: RateFacts) -> None:
        """Take note of the rate that a response names, and of a 429."""
        resource = resource_of(path)
        if resource is None:
            return
        kind, name = resource
        try:
            if facts.rate_limit and facts.rate_limit != PER_SECOND[kind]:
                self._ledger.redis.set(self._ledger.name("rate", kind), facts.rate_limit, ex=LEARNED_SECS)
            if facts.is_refused:
                hold_s = max(facts.retry_after_s or 0, RATE_HOLD_SECS)
                until = self._ledger.now() + hold_s
                self._ledger.redis.set(self._ledger.name("hold", kind, name), until, px=int(1000 * hold_s))
        except redis.RedisError as error:
            log.warning("rate_not_learned", error=type(error).__name__)

    def _seconds_to_wait(self, kind: str, name: str) -> float:
        learned, held_until = self._ledger.redis.mget(
            self._ledger.name("rate", kind), self._ledger.name("hold", kind, name)
        )
        if held_until is not None:  # a worker of an earlier version has put a 1 there
            return max(float(held_until) - self._ledger.now(), HELD_LOOK_SECS)
        item = RateLimitItemPerSecond(int(learned or PER_SECOND[kind]))
        if self._limiter.hit(item, kind, name):
            return 0
        return max(self._limiter.get_window_stats(item, kind, name).reset_time - self._ledger.now(), 0.01)


def resource_of(path: str) -> tuple[str, str] | None:
    """Return kind and id of what a path of the API names, if its rate is kept here."""
    kind, _, rest = path.lstrip("/").partition("/")
    name, _, below = rest.partition("/")
    kind = "records" if kind == "key-value-stores" and below.startswith("records/") else kind
    return (kind, name) if kind in PER_SECOND else None


def rates(ledger: Ledger) -> dict[str, int]:
    """Return kind of resource -> requests a second that each dataset or store of it is asked for at most."""
    learned = ledger.redis.mget([ledger.name("rate", kind) for kind in PER_SECOND])
    return {kind: int(named or usual) for (kind, usual), named in zip(PER_SECOND.items(), learned, strict=True)}
