"""What a worker makes sure of before it takes a job."""

import redis

from actorline.errors import Code, Unavailable
from actorline.jobs.durability import check_server
from actorline.jobs.ledger import Ledger, connect
from actorline.settings import Settings


def check_redis(settings: Settings) -> None:
    """Raises Unavailable if the ledger's Redis can't keep the promise, or is another installation's."""
    ledger = Ledger(connect(settings.ledger), settings.namespace)
    try:
        check_server(ledger.redis)
        ledger.installation(settings.installation)
    except redis.RedisError as error:
        message = f"Redis does not answer ({type(error).__name__}). Is ACTORLINE_REDIS_URL right, and Redis running?"
        raise Unavailable(Code.REDIS_UNAVAILABLE, message) from error
