"""Where the platform's webhooks reach us: the gateway's public address, and the secret that proves who sends."""

import hashlib
import secrets
from typing import Final
from urllib.parse import urlencode

from pydantic import SecretStr

from actorline.ledger.ledger import Ledger
from actorline.platform.webhooks import Receiver, adhoc_query
from actorline.settings import Settings, SettingsError

PATH: Final = "/v1/webhooks/apify"
BEFORE: Final = "webhook_secret_before"  # string: sha256 of the secret before, until its grace is over
SECRET_BYTES: Final = 32
GRACE_SECS: Final = 3 * 86_400  # the platform repeats a dispatch for about 32 hours; runs that last longer are polled


def webhook_secret(ledger: Ledger, settings: Settings) -> SecretStr:
    """The configured secret, else the ledger's, which is made once."""
    if settings.webhook_secret:
        return settings.webhook_secret
    name = ledger.name("webhook_secret")
    stored = ledger.redis.get(name)
    if stored is None:
        ledger.redis.set(name, secrets.token_urlsafe(SECRET_BYTES), nx=True)
        stored = ledger.redis.get(name)
    return SecretStr(stored)


def rotate_secret(ledger: Ledger, settings: Settings, *, grace_s: int = GRACE_SECS) -> None:
    """Make a new secret; the one before is accepted until the grace is over. Raises SettingsError if it is configured.

    Workers and gateways read it again by themselves, within a second.
    """
    if settings.webhook_secret:
        message = "ACTORLINE_WEBHOOK_SECRET is set: change it there and start gateway and workers again."
        raise SettingsError(message)
    before = digest(webhook_secret(ledger, settings).get_secret_value())
    with ledger.redis.pipeline() as pipe:
        pipe.delete(ledger.name(BEFORE))
        if grace_s:
            pipe.set(ledger.name(BEFORE), before, ex=grace_s)
        pipe.set(ledger.name("webhook_secret"), secrets.token_urlsafe(SECRET_BYTES))
        pipe.execute()


def accepted_digests(ledger: Ledger, settings: Settings) -> frozenset[str]:
    """Return the sha256 of each secret that proves a webhook to be the platform's now."""
    current = digest(webhook_secret(ledger, settings).get_secret_value())
    before = None if settings.webhook_secret else ledger.redis.get(ledger.name(BEFORE))
    return frozenset({current, before} if before else {current})


def digest(secret: str) -> str:
    """A plain hash serves: 256 random bits can't be guessed from it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def receiver(ledger: Ledger, settings: Settings, hook_id: str | None = None) -> Receiver | None:
    """The gateway as the platform sees it; None without a public address: then everything works by polling."""
    if settings.public_url is None:
        return None
    query = f"?{urlencode({'hook': hook_id})}" if hook_id else ""
    return Receiver(f"{settings.public_url}{PATH}{query}", webhook_secret(ledger, settings))


def webhooks_query(ledger: Ledger, settings: Settings, marker: str) -> dict[str, str]:
    """What a start carries so that the platform tells us of its run; {} without a public address.

    The marker names installation, job and attempt, and so the webhook: a start that a proxy repeats makes no second.
    """
    found = receiver(ledger, settings)
    return {} if found is None else adhoc_query(found, marker[marker.index("(") + 1 : -1])
