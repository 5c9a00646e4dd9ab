"""Authentication by API key, and what a key may do; on loopback local programs need none until the first is made."""

import asyncio
import hmac
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from actorline.api_keys import ApiKey, KeyRing, name_in, read_keys
from actorline.errors import Code, Refused
from actorline.gateway.local_user import user_of
from actorline.gateway.problems import Fault
from actorline.identifiers import AccountName
from actorline.jobs.rights import EVERYTHING, Rights
from actorline.ledger.ledger import Ledger
from actorline.secret_digest import digest

KEYS_FRESH_SECS: Final = 1.0  # a revoked key is refused after that; one look-up a second instead of one a request
KEY_LOOK_UP_SECS: Final = 0.05  # between two look-ups of unknown names, so that made-up keys cost Redis little
CLOSED_FILE: Final = "http-needs-a-key"
PROXY_HEADERS: Final = frozenset({"forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"})
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True)
class Grant:
    """What the sender of a request may do. `holder`: the API key's name; quotas and the ownership of jobs go by it."""

    rights: Rights = EVERYTHING
    holder: str = "(local)"

    def sees(self, account: AccountName) -> bool:
        return self.rights.sees(account)


LOCAL: Final = Grant()
OPERATOR: Final = Grant(holder="(operator)")
"""A key's name has no parentheses."""


@dataclass
class Authenticator:
    """`bootstrap`: the operator's own key from the settings, with all rights. `may_be_open`: whether local programs
    need no key until the first one is made. `note`: a file that records that one was made, in case Redis loses it.
    """

    ledger: Ledger
    bootstrap: SecretStr | None
    may_be_open: bool
    note: Path
    clock: Callable[[], float] = time.monotonic
    _keys: dict[str, ApiKey] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _reading: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        self.may_be_open = self.may_be_open and self.bootstrap is None and not self.note.exists()

    async def admit(self, request: Request) -> Grant:
        """Return what the request may do. Raises Refused (auth, forbidden) and redis.RedisError."""
        secret = bearer(request)
        return await self.admit_local(request) if secret is None else await self.admit_key(secret)

    async def admit_key(self, secret: str) -> Grant:
        """Return what the holder of an API key may do. Raises Refused (auth) and redis.RedisError."""
        return await self.admit_digest(name_in(secret), digest(secret))

    async def admit_digest(self, name: str, sha256: str) -> Grant:
        """Return the same for one whose key was shown before; `sha256`: its digest. Raises the same."""
        if self.bootstrap and hmac.compare_digest(digest(self.bootstrap.get_secret_value()), sha256):
            return OPERATOR
        key = await self._find(name)
        if key is None or not hmac.compare_digest(key.sha256, sha256):
            raise Refused(Code.AUTH, "The API key is unknown or was revoked. Nothing was done.")
        return Grant(key.rights, key.name)

    async def admit_local(self, request: Request, *, is_own_page: bool = False) -> Grant:
        """Return what a local program without a key may do; `is_own_page`: a page of ours was seen to send it.

        Raises Refused (auth), Fault (403) and redis.RedisError.
        """
        await self._refresh(since=self.clock() - KEYS_FRESH_SECS)
        if not self.may_be_open:
            raise Refused(
                Code.AUTH,
                "This needs an API key: `Authorization: Bearer ...`. Create one with `actorline keys create NAME`.",
            )
        check_local(request, is_own_page=is_own_page)
        return LOCAL

    def known_name(self, request: Request) -> str | None:
        """Return the name of the key that a request claims to have, if there is such a key."""
        token = request.headers.get("authorization", "").partition(" ")[2].strip()
        name = name_in(token)
        return name if name in self._keys else None

    async def _find(self, name: str) -> ApiKey | None:
        """Return the key of that name. A key that was made before the request arrived is found."""
        arrived_at = self.clock()
        await self._refresh(since=arrived_at - KEYS_FRESH_SECS)
        if name and name not in self._keys:
            await asyncio.sleep(self._read_at + KEY_LOOK_UP_SECS - self.clock())
            await self._refresh(since=arrived_at)
        return self._keys.get(name)

    async def _refresh(self, *, since: float) -> None:
        """Read the keys again if they were read before that. Concurrent requests share look-ups, even failing ones."""
        while self._read_at < since:
            if self._reading is None:
                self._reading = asyncio.create_task(self._read())
            await asyncio.shield(self._reading)

    async def _read(self) -> None:
        asked_at = self.clock()
        try:
            ring = await run_in_threadpool(self._read_ring)
        finally:
            self._reading = None
        self._keys, self._read_at = ring.keys, asked_at

    def _read_ring(self) -> KeyRing:
        ring = read_keys(self.ledger)
        if ring.was_used and self.may_be_open:
            self.may_be_open = False
            with suppress(OSError):  # the home can't be written: the ledger has it
                self.note.touch()
        return ring


def bearer(request: Request) -> str | None:
    """Return the token of `Authorization: Bearer ...`, if any. Raises Refused for another scheme."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Refused(Code.AUTH, "The Authorization header must be `Bearer` and an API key. Nothing was done.")
    return token.strip()


def check_local(request: Request, *, is_own_page: bool = False) -> None:
    """Refuse all but this user's programs while no key is needed. Raises Fault, and Refused (auth).

    A web page sends `Origin`; one that uses DNS rebinding to reach 127.0.0.1 sends its own name as the Host.
    """
    if request.scope.get("http_version") == "1.0" or any(map(_is_of_proxy, request.headers)):
        raise Refused(
            Code.AUTH,
            "A request through a proxy needs an API key. Nothing was done. Create one: `actorline keys create NAME`.",
        )
    host = request.headers.get("host", "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name not in LOCAL_NAMES:
        raise Fault(403, Code.FORBIDDEN, "Without an API key the Host must be localhost, 127.0.0.1 or [::1].")
    is_from_web = "origin" in request.headers or request.headers.get("sec-fetch-site", "none") == "cross-site"
    if is_from_web and not is_own_page:
        raise Fault(403, Code.FORBIDDEN, "Requests from web pages need an API key. Nothing was done.")
    if _is_of_other_user(request):
        raise Refused(
            Code.AUTH,
            "Programs of other users of this machine need an API key. Nothing was done. "
            "Create one: `actorline keys create NAME`.",
        )


def _is_of_proxy(header: str) -> bool:
    """Return whether a proxy set the header. (nginx sends HTTP/1.0 upstream by default, without any of these.)"""
    return header in PROXY_HEADERS or header.startswith(("x-forwarded-", "x-original-forwarded-"))


def _is_of_other_user(request: Request) -> bool:
    """Return whether another user of this machine connected; False where the system doesn't report the owner."""
    client, server = request.client, request.scope.get("server")
    user = user_of((client.host, client.port), tuple(server)) if client and server else None
    return user is not None and user not in {0, os.getuid()}
