"""The platform's rates, shared by all workers.

A worker alone can't know how often the others ask. So datasets and stores have buckets in Redis, which learn the
platform's own figure; and whatever the platform says 429 to (a dataset, an Actor's starts, the list of runs) is asked
for by no worker until the time that it named has passed.
"""

import time
from typing import Final

import redis
from limits import RateLimitItemPerSecond
from limits.strategies import MovingWindowRateLimiter

from actorline.identifiers import AccountName
from actorline.ledger.admission.limit_storage import LimitStorage
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.platform.client import RateFacts
from actorline.platform.errors import RateLimited

log = Logger(__name__)

# Requests a second that many pages or records of one job could exceed: docs/platform-facts.md#rate-limits
PER_SECOND: Final = {"datasets": 60, "key-value-stores": 60, "records": 200}
LEARNED_SECS: Final = 3600
RATE_HOLD_SECS: Final = 0.5  # after a 429 that names no other: docs/platform-facts.md#back-off
HELD_LOOK_SECS: Final = 0.05
TURN_MAX_SECS: Final = 1.0  # no place in a rate is further away: a longer wait is what the platform asked for


class RedisGovernor:
    """Lets the requests of an account wait for their turn. Without Redis it lets everything pass: the platform still
    says 429.
    """

    def __init__(self, ledger: Ledger, account: AccountName) -> None:
        self._ledger = ledger
        self._account = account
        self._limiter = MovingWindowRateLimiter(LimitStorage(ledger, "rates"))

    def wait_for_turn(self, path: str, patience_s: float) -> None:
        """Return when a request to `path` may go out. Raises RateLimited instead, with what is left of it, where the
        platform asked for a wait that is longer than `patience_s`.
        """
        kind, name = resource_of(path)
        deadline = time.monotonic() + patience_s
        try:
            while (seconds := self._seconds_to_wait(kind, name)) > 0 and time.monotonic() < deadline:
                if seconds > max(deadline - time.monotonic(), TURN_MAX_SECS):
                    words = f"No request was sent: the platform asked to wait, for another {seconds:.0f} s"
                    raise RateLimited(words, retry_after_s=seconds)
                time.sleep(min(seconds, TURN_MAX_SECS))
        except redis.RedisError as error:
            log.warning("rate_not_kept", error=type(error).__name__)

    def learn(self, path: str, facts: RateFacts) -> None:
        """Take note of the rate that a response names, and of a 429."""
        kind, name = resource_of(path)
        try:
            if facts.rate_limit and facts.rate_limit != PER_SECOND.get(kind, facts.rate_limit):
                self._ledger.redis.set(self._ledger.name("rate", kind), facts.rate_limit, ex=LEARNED_SECS)
            if facts.is_refused:
                hold_s = max(facts.retry_after_s or 0, RATE_HOLD_SECS)
                until = self._ledger.now() + hold_s
                self._ledger.redis.set(self._hold_name(kind, name), until, px=int(1000 * hold_s))
        except redis.RedisError as error:
            log.warning("rate_not_learned", error=type(error).__name__)

    def _seconds_to_wait(self, kind: str, name: str) -> float:
        learned, held_until = self._ledger.redis.mget(self._ledger.name("rate", kind), self._hold_name(kind, name))
        if held_until is not None:
            return max(float(held_until) - self._ledger.now(), HELD_LOOK_SECS)
        if kind not in PER_SECOND:
            return 0
        item = RateLimitItemPerSecond(int(learned or PER_SECOND[kind]))
        if self._limiter.hit(item, kind, name):
            return 0
        return max(self._limiter.get_window_stats(item, kind, name).reset_time - self._ledger.now(), 0.01)

    def _hold_name(self, kind: str, name: str) -> str:
        return self._ledger.name("hold", self._account, kind, name)


def resource_of(path: str) -> tuple[str, str]:
    """Return kind and id of what a path of the API names; a list, such as that of all runs, has no id."""
    kind, _, rest = path.lstrip("/").partition("/")
    name, _, below = rest.partition("/")
    return ("records" if kind == "key-value-stores" and below.startswith("records/") else kind, name)


def rates(ledger: Ledger) -> dict[str, int]:
    """Return kind of resource -> requests a second that each dataset or store of it is asked for at most."""
    learned = ledger.redis.mget([ledger.name("rate", kind) for kind in PER_SECOND])
    return {kind: int(named or usual) for (kind, usual), named in zip(PER_SECOND.items(), learned, strict=True)}
