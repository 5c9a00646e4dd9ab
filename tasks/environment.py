"""What a worker process holds for its tasks: made once, shared by its threads."""

import secrets
from functools import cache

from actorline import __version__
from actorline.errors import Code, Refused
from actorline.jobs.governor import RedisGovernor
from actorline.jobs.ledger import Ledger, connect
from actorline.platform.client import Platform
from actorline.settings import Settings, load_settings

DEFAULT_ACCOUNT = "default"


@cache
def settings() -> Settings:
    return load_settings()


@cache
def ledger() -> Ledger:
    return Ledger(connect(settings().ledger), settings().namespace)


@cache
def installation() -> str:
    return ledger().installation(settings().installation)


@cache
def platform(account: str) -> Platform:
    """The platform, with the account's token. Raises Refused if no token is set for it here."""
    token = settings().token_of(account)
    if token is None:
        variable = "APIFY_TOKEN" if account == "default" else f"ACTORLINE_ACCOUNTS__{account.upper()}"
        message = (
            f"No token is set for the account {account}. No run was started. Set {variable} where the workers run."
        )
        raise Refused(Code.AUTH, message)
    user_agent = f"actorline/{__version__}"
    return Platform(settings().api_url, token, user_agent=user_agent, governor=RedisGovernor(ledger()))


def platform_of(key: str) -> Platform:
    """The platform with the token of a job's account."""
    return platform(ledger().account(key) or DEFAULT_ACCOUNT)


def new_execution() -> str:
    """The token of one running of one task: leases and staged files belong to it."""
    return secrets.token_hex(8)
