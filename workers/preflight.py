"""What a worker makes sure of before it takes a job."""

import redis

from actorline.errors import Code, Unavailable
from actorline.jobs.durability import read_server
from actorline.jobs.ledger import Ledger, connect
from actorline.settings import Settings


def check_redis(settings: Settings) -> None:
    """Raises Unavailable if the ledger's Redis can't keep the promise, or is another installation's."""
    ledger = Ledger(connect(settings.ledger), settings.namespace)
    try:
        server = read_server(ledger.redis)
        ledger.installation(settings.installation)
    except redis.RedisError as error:
        message = f"Redis does not answer ({type(error).__name__}). Is ACTORLINE_REDIS_URL right, and Redis running?"
        raise Unavailable(Code.REDIS_UNAVAILABLE, message) from error
    if not server.has_aof:
        message = (
            "Redis keeps no append-only file, so a start could be forgotten and paid for twice. Nothing is started. "
            "Switch it on: CONFIG SET appendonly yes, and in redis.conf."
        )
        raise Unavailable(Code.LEDGER_NOT_DURABLE, message)
    if server.maxmemory_policy != "noeviction":
        message = (
            f"Redis may drop keys when memory is short (maxmemory-policy {server.maxmemory_policy}), jobs among them. "
            "Nothing is started. Set it: CONFIG SET maxmemory-policy noeviction, and in redis.conf."
        )
        raise Unavailable(Code.LEDGER_NOT_DURABLE, message)
