"""Where the platform's webhooks reach us: the gateway's public address, and the secret that proves who sends."""

import secrets
from typing import Final
from urllib.parse import urlencode

from pydantic import SecretStr

from actorline.jobs.ledger import Ledger
from actorline.platform.webhooks import Receiver, adhoc_query
from actorline.settings import Settings

PATH: Final = "/v1/webhooks/apify"
SECRET_BYTES: Final = 32


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
