"""What a worker makes sure of before it takes a job."""

import time
from typing import Final

import redis
import structlog

from actorline.errors import Code, Refused, Unavailable
from actorline.ledger.accounts import check_owner, read_owner
from actorline.ledger.faults import describe_fault
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.platform.errors import PlatformUnavailable
from actorline.settings import Settings

CLOCK_MAX_SECS: Final = 5.0

log = structlog.get_logger(__name__)


def check_clock(redis_time: float, *, before: float, after: float) -> None:
    """Raises Unavailable if this machine's clock is not Redis's; `before` and `after`: ours when Redis was asked.

    Celery times what workers hold and when a poll is due by their machines' clocks: a worker that is ahead would take
    the others for dead and do their tasks a second time, without end, and one that is behind would let polls wait.
    """
    ahead = max(before - redis_time, 0) - max(redis_time - after, 0)  # a slow answer is no wrong clock
    if abs(ahead) > CLOCK_MAX_SECS:
        side = "ahead of" if ahead > 0 else "behind"
        message = (
            f"This machine's clock is {abs(ahead):,.0f} s {side} that of Redis, so workers would take each other for "
            "dead. Nothing was started. Set the clocks of both machines (NTP)."
        )
        raise Unavailable(Code.REDIS_UNAVAILABLE, message)


def check_accounts(settings: Settings) -> None:
    """Raises Unavailable for a token of another user than the one whom its account stands for in this ledger.

    While the platform is away that is left to the account's first start.
    """
    ledger = Ledger(connect(settings.ledger), settings.namespace)
    for account, token in settings.tokens.items():
        try:
            check_owner(ledger, account, read_owner(settings, token))
        except PlatformUnavailable:
            return
        except Refused as error:
            raise Unavailable(error.reason.code, error.reason.message) from error


def check_redis(settings: Settings) -> None:
    """Raises Unavailable for a ledger that can't keep the promise, or is another installation's, and a wrong clock."""
    ledger = Ledger(connect(settings.ledger), settings.namespace)
    try:
        ledger.check_server()
        _warn_of_replicas(ledger.server().replicas, settings)
        before = time.time()
        check_clock(ledger.now(), before=before, after=time.time())
        ledger.installation(settings.installation)
    except redis.RedisError as error:
        message = f"Redis can't be used: {describe_fault(error)}. Is ACTORLINE_REDIS_URL right, and Redis running?"
        raise Unavailable(Code.REDIS_UNAVAILABLE, message) from error


def _warn_of_replicas(replicas: int, settings: Settings) -> None:
    if replicas > settings.durable_replicas:
        log.warning(
            "redis_has_replicas",
            replicas=replicas,
            message="A replica that is promoted may lack the last starts: set ACTORLINE_DURABLE_REPLICAS.",
        )
