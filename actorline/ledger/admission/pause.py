"""The pause: no new paid run is started; running ones continue and their rows are collected."""

from typing import Final, cast

from actorline.identifiers import AccountName
from actorline.ledger.ledger import Ledger

EVERY_ACCOUNT: Final = AccountName("*")
IS_PAUSED: Final = "Paid runs are paused: actorline resume starts them again."
"""Why a job waits, in words."""


def pause(ledger: Ledger, account: AccountName = EVERY_ACCOUNT) -> None:
    """Start nothing for an account, or for any. Safe to repeat."""
    ledger.redis.sadd(ledger.name("paused"), account.lower())


def resume(ledger: Ledger, account: AccountName = EVERY_ACCOUNT) -> None:
    """End the pause; EVERY_ACCOUNT ends all of them."""
    if account == EVERY_ACCOUNT:
        ledger.redis.delete(ledger.name("paused"))
        return
    spellings = [each for each in paused_accounts(ledger) if each.lower() == account.lower()]
    if spellings:
        ledger.redis.srem(ledger.name("paused"), *spellings)


def is_paused(ledger: Ledger, account: AccountName) -> bool:
    """Return whether the account, or every account, is paused."""
    return not {EVERY_ACCOUNT, account.lower()}.isdisjoint(each.lower() for each in paused_accounts(ledger))


def paused_accounts(ledger: Ledger) -> set[str]:
    """Return the paused accounts as they were written: an earlier version kept capitals."""
    return cast("set[str]", ledger.redis.smembers(ledger.name("paused")))
