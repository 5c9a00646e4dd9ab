"""Who is let in, and what they may do: by API key, or on loopback, while there is no key yet, any local program."""

import asyncio
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from actorline.api_keys import ApiKey, Scope, digest, list_keys, name_in
from actorline.errors import Code, Refused
from actorline.gateway.problems import Fault
from actorline.jobs.ledger import Ledger

FRESH_SECS: Final = 1.0  # a revoked key opens nothing after that; one look-up a second in the place of one a request
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True)
class Grant:
    """What the sender of a request may do. `accounts`: the aliases whose jobs exist for it; None: all."""

    scopes: frozenset[Scope]
    accounts: frozenset[str] | None = None

    def sees(self, account: str) -> bool:
        return self.accounts is None or account.lower() in self.accounts


EVERYTHING: Final = Grant(frozenset(Scope))


@dataclass
class Doorkeeper:
    """`bootstrap`: a key of the operator's own, from the settings, that may do everything."""

    ledger: Ledger
    bootstrap: SecretStr | None
    is_loopback: bool
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, ApiKey] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _reading: "asyncio.Task[None] | None" = None

    async def admit(self, request: Request) -> Grant:
        """Raises Refused (auth, forbidden), and what Redis raises."""
        secret = bearer(request)
        if secret is None:
            return await self._admit_local(request)
        if self.bootstrap and hmac.compare_digest(digest(self.bootstrap.get_secret_value()), digest(secret)):
            return EVERYTHING
        key = await self._find(name_in(secret))
        if key is None or not key.is_opened_by(secret):
            raise Refused(Code.AUTH, "The API key is not known here, or was revoked. Nothing was done.")
        return Grant(key.scopes, frozenset(account.lower() for account in key.accounts))

    async def _admit_local(self, request: Request) -> Grant:
        await self._refresh(older_than_secs=FRESH_SECS)
        if not self.is_loopback or self.bootstrap or self._keys:
            message = "This needs an API key: `Authorization: Bearer ...`. `actorline keys create NAME` makes one."
            raise Refused(Code.AUTH, message)
        check_local(request)
        return EVERYTHING

    async def _find(self, name: str) -> ApiKey | None:
        """A key that was made just now is found at once."""
        await self._refresh(older_than_secs=FRESH_SECS)
        if name and name not in self._keys:
            await self._refresh(older_than_secs=FRESH_SECS / 20)
        return self._keys.get(name)

    async def _refresh(self, *, older_than_secs: float) -> None:
        """One look-up serves all who ask meanwhile, also where Redis doesn't answer."""
        if self.clock() - self._read_at < older_than_secs:
            return
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        asked_at = self.clock()
        try:
            keys = await run_in_threadpool(list_keys, self.ledger)
        finally:
            self._reading = None
        self._keys, self._read_at = {key.name: key for key in keys}, asked_at


def bearer(request: Request) -> str | None:
    """The token of `Authorization: Bearer ...`. Raises Refused for another kind."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Refused(Code.AUTH, "Authorization must be `Bearer` and an API key. Nothing was done.")
    return token.strip()


def check_local(request: Request) -> None:
    """Keep web pages out of a door that is open to local programs. Raises Fault.

    A page that a browser shows sends `Origin`; one whose name was bound to 127.0.0.1 afterwards (DNS rebinding) comes
    with its own name as the Host.
    """
    host = request.headers.get("host", "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name not in LOCAL_NAMES:
        raise Fault(403, Code.FORBIDDEN, "Without API keys the Host must be localhost, 127.0.0.1 or [::1].")
    if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") == "cross-site":
        raise Fault(403, Code.FORBIDDEN, "Web pages are not let in without an API key. Nothing was done.")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
