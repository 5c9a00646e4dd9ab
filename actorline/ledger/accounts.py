"""Whose account an alias stands for. The ledger keeps the user at the alias's first use, so that two deployments on one
Redis, whose tokens are different users', are distinguished: each would start, abort and miss the other one's runs.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, SecretStr

from actorline.errors import Code, Refused
from actorline.identifiers import AccountName
from actorline.ledger.ledger import Ledger
from actorline.platform.errors import PlatformError, PlatformUnavailable
from actorline.settings import Settings

ACCOUNT_TIMEOUT_SECS: Final = 4.0  # a worker's start doesn't wait longer for a platform that is away
OTHER_OWNER_ADVICE: Final = (
    "Is this another deployment on the same Redis? Give it an ACTORLINE_NAMESPACE of its own, or the account another "
    "alias (ACTORLINE_ACCOUNTS__NAME). If the account was moved on purpose: actorline accounts --moved {account}."
)


class Owner(BaseModel):
    """The user behind a token. `id` None: a token that may not ask who it is."""

    id: str | None = None
    username: str = ""


def read_owner(settings: Settings, token: SecretStr) -> Owner:
    """Ask the platform once whose token it is. Raises PlatformUnavailable if it doesn't respond."""
    from actorline.platform.client import Platform  # it loads `requests`, which nothing else here needs
    from actorline.platform.users import get_me

    platform = Platform(
        settings.api_url,
        token,
        sleep=_give_up,
        connect_timeout_s=ACCOUNT_TIMEOUT_SECS,
        read_timeout_s=ACCOUNT_TIMEOUT_SECS,
    )
    try:
        me = get_me(platform)
    except PlatformUnavailable:
        raise
    except PlatformError:  # refused, or limited: what the token is used for says so
        return Owner()
    finally:
        platform.close()
    return Owner(id=me.id, username=me.username)


def _give_up(seconds: float) -> None:
    raise PlatformUnavailable(
        f"The platform did not respond at once. It is asked again later, without waiting {seconds:g} s here."
    )


def check_owner(ledger: Ledger, account: AccountName, owner: Owner) -> None:
    """Keep the user whom the alias stands for at its first use. Raises Refused if it stands for another one."""
    ledger.redis.hsetnx(_name(ledger), account, owner.model_dump_json())
    if other := describe_other_owner(ledger, account, owner):
        raise Refused(Code.AUTH, f"{other} Nothing was started. {OTHER_OWNER_ADVICE.format(account=account)}")
    if owner.id is not None and _first_owner(ledger, account).id is None:
        move_account(ledger, account, owner)


def describe_other_owner(ledger: Ledger, account: AccountName, owner: Owner) -> str | None:
    """Return that the alias stands for another user than the token's; None: it doesn't, or that isn't known."""
    first = _first_owner(ledger, account)
    if None in {first.id, owner.id} or first.id == owner.id:
        return None
    return (
        f"The token of the account {account} belongs to {owner.username}, but in this ledger {account} is "
        f"{first.username}, whose runs it would not find."
    )


def move_account(ledger: Ledger, account: AccountName, owner: Owner) -> None:
    """Let the alias stand for another user from here on."""
    ledger.redis.hset(_name(ledger), account, owner.model_dump_json())


def is_known(ledger: Ledger, account: AccountName) -> bool:
    """Return whether a worker ever had a token for the alias."""
    return bool(ledger.redis.hexists(_name(ledger), account))


def list_owners(ledger: Ledger) -> Mapping[str, Owner]:
    """Return the user whom each alias stands for."""
    stored = ledger.redis.hgetall(_name(ledger))
    return {alias: Owner.model_validate_json(text) for alias, text in sorted(stored.items())}


def _first_owner(ledger: Ledger, account: AccountName) -> Owner:
    stored = ledger.redis.hget(_name(ledger), account)
    return Owner.model_validate_json(stored) if stored else Owner()


def _name(ledger: Ledger) -> str:
    """Return the name of `account_owners`, a hash: alias -> Owner (JSON)."""
    return ledger.name("account_owners")
