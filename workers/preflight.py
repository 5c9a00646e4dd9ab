"""What a worker checks before it takes jobs."""

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
    """Check this machine's clock against Redis's; `before` and `after`: ours around the request. Raises Unavailable.

    What workers share goes by Redis's clock (`workers/broker/redis_time.py`). Certificates, signed requests to object
    stores and logs go by this machine's.
    """
    ahead = max(before - redis_time, 0) - max(redis_time - after, 0)  # a slow response is no wrong clock
    if abs(ahead) > CLOCK_MAX_SECS:
        side = "ahead of" if ahead > 0 else "behind"
        raise Unavailable(
            Code.REDIS_UNAVAILABLE,
            f"This machine's clock is {abs(ahead):,.0f} s {side} that of Redis: certificates, object stores and logs "
            "go by it. Nothing was started. Set the clocks of both machines (NTP).",
        )


def check_accounts(settings: Settings) -> None:
    """Check that each token belongs to the user that its account has in this ledger. Raises Unavailable.

    While the platform is unavailable, that is left to the account's first start.
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
    """Check that Redis persists writes, belongs to this installation, and agrees on the time. Raises Unavailable."""
    ledger = Ledger(connect(settings.ledger), settings.namespace)
    try:
        ledger.check_server()
        _warn_of_replicas(ledger.server().replicas, settings)
        before = time.time()
        check_clock(ledger.now(), before=before, after=time.time())
        ledger.installation(settings.installation)
    except redis.RedisError as error:
        raise Unavailable(
            Code.REDIS_UNAVAILABLE,
            f"Redis can't be used: {describe_fault(error)}. Is ACTORLINE_REDIS_URL right, and Redis running?",
        ) from error


def _warn_of_replicas(replicas: int, settings: Settings) -> None:
    if replicas > settings.durable_replicas:
        log.warning(
            "redis_has_replicas",
            replicas=replicas,
            message="A promoted replica may lack the last starts: set ACTORLINE_DURABLE_REPLICAS.",
        )
