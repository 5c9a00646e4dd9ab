"""The objects that a worker process's tasks need: made once, shared by its threads."""

import secrets
import time
from contextlib import suppress
from functools import cache

from actorline.errors import Code, Refused
from actorline.identifiers import AccountName, ExecutionToken, JobKey
from actorline.ledger.accounts import Owner, check_owner, read_owner
from actorline.ledger.admission.rate_limit import RedisGovernor
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformUnavailable
from actorline.settings import Settings, load_settings, token_variable
from tasks.shell.metrics import RequestMeter

DEFAULT_ACCOUNT = AccountName("default")
OWNER_AGAIN_SECS = 10.0
OWNER_KEPT_SECS = 1.0


@cache
def settings() -> Settings:
    return load_settings()


@cache
def ledger() -> Ledger:
    return Ledger(connect(settings().ledger), settings().namespace, replicas=settings().durable_replicas)


@cache
def installation() -> str:
    return ledger().installation(settings().installation)


def platform(account: AccountName) -> Platform:
    """Return the platform, with the account's token. Raises Refused if no token is set for it here, or if the token
    belongs to another user than the account.
    """
    alias = AccountName(account.lower())
    found = _platform(alias)
    with suppress(PlatformUnavailable):  # asked again later: a failure to identify us stops no job
        _owners.check(alias)
    return found


class _Owners:
    """The users of the tokens. Each is read once; while the platform is unavailable, every 10 s."""

    def __init__(self) -> None:
        self._known: dict[AccountName, Owner] = {}
        self._asked_at: dict[AccountName, float] = {}
        self._checked_at: dict[AccountName, float] = {}

    def check(self, account: AccountName) -> None:
        """Raise Refused if the account stands for another user than its token's; compared once a second."""
        if time.monotonic() - self._checked_at.get(account, float("-inf")) < OWNER_KEPT_SECS:
            return
        check_owner(ledger(), account, self.of(account))
        self._checked_at[account] = time.monotonic()

    def of(self, account: AccountName) -> Owner:
        """Return the user of the account's token. Raises PlatformUnavailable."""
        if account not in self._known:
            if time.monotonic() - self._asked_at.get(account, float("-inf")) < OWNER_AGAIN_SECS:
                raise PlatformUnavailable("The platform did not report the token's user")
            self._asked_at[account] = time.monotonic()
            token = settings().token_of(account)
            self._known[account] = read_owner(settings(), token) if token else Owner()
        return self._known[account]


_owners = _Owners()


@cache
def _platform(account: AccountName) -> Platform:
    token = settings().token_of(account)
    if token is None:
        variable = token_variable(account)
        raise Refused(
            Code.AUTH,
            f"No token is set for the account {account}. No run was started. Set {variable} where the workers run.",
        )
    return Platform(settings().api_url, token, governor=RedisGovernor(ledger(), account), meter=RequestMeter(account))


def platform_of(key: JobKey) -> Platform:
    """Return the platform with the token of a job's account."""
    return platform(ledger().account(key) or DEFAULT_ACCOUNT)


def new_execution() -> ExecutionToken:
    """Return the token of one execution of one task: leases and staged files belong to it."""
    return ExecutionToken(secrets.token_hex(8))
