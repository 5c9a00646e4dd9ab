"""The brake: no new paid run is started; running ones go on and their rows are collected."""

from typing import Final

from actorline.jobs.ledger import Ledger

EVERY_ACCOUNT: Final = "*"


def pause(ledger: Ledger, account: str = EVERY_ACCOUNT) -> None:
    """Start nothing for an account, or for any. Safe to repeat."""
    ledger.redis.sadd(ledger.name("paused"), account)


def resume(ledger: Ledger, account: str = EVERY_ACCOUNT) -> None:
    """Take the brake off; EVERY_ACCOUNT takes all of them off."""
    if account == EVERY_ACCOUNT:
        ledger.redis.delete(ledger.name("paused"))
    else:
        ledger.redis.srem(ledger.name("paused"), account)


def is_paused(ledger: Ledger, account: str) -> bool:
    return any(ledger.redis.smismember(ledger.name("paused"), [EVERY_ACCOUNT, account]))
