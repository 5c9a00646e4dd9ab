"""Events of the platform's webhooks: authenticated, and noted in the ledger before the response."""

import asyncio
import hmac
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import redis
from starlette.concurrency import run_in_threadpool

from actorline.gateway.intake.batching import Batcher
from actorline.gateway.intake.wake_ups import WakeUps
from actorline.ledger.ledger import Ledger
from actorline.secret_digest import digest
from actorline.settings import Settings
from actorline.webhooks.events import Hint, HookRun, LookNow, take_hints
from actorline.webhooks.receiver import accepted_digests

SECRETS_FRESH_SECS: Final = 1.0
HINTS_A_GROUP: Final = 100  # each for a known job costs a round trip to Redis


@dataclass(frozen=True)
class PendingHint:
    hint: Hint
    reply: "asyncio.Future[None]"


class WebhookIntake:
    """Writes hints in its own thread: while one group is written, the next one fills."""

    def __init__(self, settings: Settings, ledger: Ledger, wake_ups: WakeUps) -> None:
        self._settings = settings
        self._ledger = ledger
        self._wake_ups = wake_ups
        self._loop = asyncio.get_running_loop()
        self._digests: frozenset[str] = frozenset()
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._groups: Batcher[PendingHint] = Batcher("hints", self._work, most=HINTS_A_GROUP)

    async def is_genuine(self, secret: str) -> bool:
        """Return whether the secret is one in Redis, compared in constant time, so that a rotation has effect at once.
        Raises redis.RedisError if they could never be read.
        """
        shown = digest(secret)
        await self._refresh(older_than_secs=SECRETS_FRESH_SECS)
        if not self._is_accepted(shown):  # perhaps one that was just made
            await self._refresh(older_than_secs=SECRETS_FRESH_SECS / 20)
        return self._is_accepted(shown)

    def _is_accepted(self, shown: str) -> bool:
        return any(hmac.compare_digest(each, shown) for each in self._digests)

    async def _refresh(self, *, older_than_secs: float) -> None:
        """Read the secrets again if they are older; concurrent requests share one look-up."""
        if time.monotonic() - self._read_at >= older_than_secs:
            self._reading = self._reading or asyncio.create_task(self._read())
            await asyncio.shield(self._reading)

    async def _read(self) -> None:
        try:
            self._digests = await run_in_threadpool(accepted_digests, self._ledger, self._settings)
        except redis.RedisError:
            if not self._digests:
                raise
        finally:
            self._reading = None
        self._read_at = time.monotonic()

    async def take(self, hint: Hint) -> None:
        """Put the hint into the ledger. Raises redis.RedisError and NotDurable: then it must be sent again."""
        pending = PendingHint(hint, self._loop.create_future())
        self._groups.put(pending)
        await pending.reply

    def close(self) -> None:
        self._groups.close()

    @cached_property
    def _installation(self) -> str:
        return self._ledger.installation(self._settings.installation)

    def _work(self, group: list[PendingHint]) -> None:
        try:
            taken = take_hints(self._ledger, self._installation, [pending.hint for pending in group])
        except Exception as error:  # noqa: BLE001 - passed to the waiting requests
            self._loop.call_soon_threadsafe(_reply, group, error)
            return
        self._loop.call_soon_threadsafe(_reply, group, None)
        for thing in taken:
            if isinstance(thing, LookNow):
                self._wake_ups.start(thing.key)
            elif isinstance(thing, HookRun):
                self._wake_ups.look_at(thing)


def _reply(group: list[PendingHint], error: Exception | None) -> None:
    for pending in group:
        if pending.reply.done():  # the request is gone
            continue
        if error is None:
            pending.reply.set_result(None)
        else:
            pending.reply.set_exception(error)
