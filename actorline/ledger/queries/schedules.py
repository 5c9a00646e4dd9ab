"""Whether the book of schedules has anything in it, for those that don't read it: it takes Celery to do so."""

from actorline.ledger.ledger import Ledger


def has_schedules(ledger: Ledger) -> bool:
    """Return whether the book has schedules, be they on or off. Raises redis.RedisError."""
    return bool(ledger.redis.exists(ledger.name("schedules")))
