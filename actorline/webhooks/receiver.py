"""Where the platform's webhooks reach us: the gateway's public address, and the secret that authenticates them."""

import secrets
from typing import Final
from urllib.parse import urlencode

from pydantic import SecretStr

from actorline.errors import SettingsError
from actorline.ledger.ledger import Ledger
from actorline.platform.marker import tag_of
from actorline.platform.webhooks import Receiver, adhoc_query
from actorline.secret_digest import digest
from actorline.settings import Settings

PATH: Final = "/v1/webhooks/apify"
SECRET_BYTES: Final = 32
GRACE_SECS: Final = 3 * 86_400  # the platform repeats a dispatch for about 32 hours; runs that last longer are polled


def webhook_secret(ledger: Ledger, settings: Settings) -> SecretStr:
    """Return the configured secret, else the ledger's, which is created once."""
    if settings.webhook_secret:
        return settings.webhook_secret
    return SecretStr(ledger.webhooks.secret(secrets.token_urlsafe(SECRET_BYTES)))


def rotate_secret(ledger: Ledger, settings: Settings, *, grace_s: int = GRACE_SECS) -> None:
    """Create a new secret; the previous one is accepted for `grace_s`. Raises SettingsError if it is configured.

    Workers and gateways pick it up by themselves, within a second.
    """
    if settings.webhook_secret:
        raise SettingsError("ACTORLINE_WEBHOOK_SECRET is set: change it there and restart gateway and workers.")
    before = digest(webhook_secret(ledger, settings).get_secret_value())
    ledger.webhooks.replace_secret(secrets.token_urlsafe(SECRET_BYTES), before=before, grace_s=grace_s)


def accepted_digests(ledger: Ledger, settings: Settings) -> frozenset[str]:
    """Return the sha256 of each secret that authenticates a webhook now."""
    current = digest(webhook_secret(ledger, settings).get_secret_value())
    before = None if settings.webhook_secret else ledger.webhooks.digest_before()
    return frozenset({current, before} if before else {current})


def receiver(ledger: Ledger, settings: Settings, hook_id: str | None = None) -> Receiver | None:
    """Return the gateway as the platform reaches it; None without a public address: then all jobs are polled."""
    if settings.public_url is None:
        return None
    query = f"?{urlencode({'hook': hook_id})}" if hook_id else ""
    return Receiver(f"{settings.public_url}{PATH}{query}", webhook_secret(ledger, settings))


def webhooks_query(ledger: Ledger, settings: Settings, marker: str) -> dict[str, str]:
    """Return the parameters of a start that register its webhook; {} without a public address.

    The marker names installation, job and attempt, and so the webhook: a start repeated by a proxy makes no second one.
    """
    found = receiver(ledger, settings)
    return {} if found is None else adhoc_query(found, tag_of(marker)[1:-1])
