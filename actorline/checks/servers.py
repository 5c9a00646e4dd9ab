"""Whether the servers of an installation respond where they should: gateway, Flower, and the platform's way in."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import requests

from actorline.api_keys import read_keys
from actorline.checks.finding import Finding
from actorline.ledger.ledger import Ledger
from actorline.outbound.adapter import OutboundAdapter
from actorline.outbound.http_status import is_success
from actorline.settings import Settings

RESPONSE_SECS: Final = 6.0  # longer than a gateway takes to say that Redis is silent
READ_BYTES: Final = 10_000


def check_servers(
    settings: Settings, *, gateway: str | None, flower: str | None, is_closed: bool = False
) -> Iterator[Finding]:
    """Yield a finding for each server there should be. `gateway`, `flower`: their URLs in the running stack;
    `is_closed`: no API key opens the gateway.
    """
    if gateway:
        yield _gateway(gateway, is_closed=is_closed)
    if flower:
        yield _flower(flower)
    if settings.public_url:
        yield _webhooks(settings.public_url)


def lacks_key(settings: Settings, ledger: Ledger) -> bool:
    """Return whether the gateway refuses everybody: it needs an API key since the first was made, and all of them were
    revoked.
    """
    if settings.gateway_key or settings.gateway_key_file:
        return False
    ring = read_keys(ledger)
    return ring.was_used and not ring.keys


def _gateway(url: str, *, is_closed: bool) -> Finding:
    try:
        status, _ = _get(f"{url}/readyz")
    except requests.RequestException:
        return _silent("gateway", url)
    if not is_success(status):
        return Finding("gateway", is_good=False, text=f"{url} takes no orders now: HTTP {status}")
    if is_closed:
        text = f"{url} refuses every order: it needs an API key, and all of them were revoked"
        return Finding("gateway", is_good=False, text=text, fix="Make one: actorline keys create NAME.")
    return Finding("gateway", is_good=True, text=f"{url} takes orders")


def _flower(url: str) -> Finding:
    try:
        status, _ = _get(f"{url}/api/workers")
    except requests.RequestException:
        return _silent("flower", url)
    if is_success(status):
        text, fix = f"{url} is open to everyone who reaches it", "Set FLOWER_BASIC_AUTH=user:password, and restart it."
        return Finding("flower", is_good=False, text=text, fix=fix)
    asks = status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    text = f"{url} {'asks for a password' if asks else f'responds with HTTP {status}'}"
    return Finding("flower", is_good=asks, text=text)


def _silent(name: str, url: str) -> Finding:
    fix = f"Its log is logs/{name}.log in the home."
    return Finding(name, is_good=False, text=f"{url} doesn't respond", fix=fix)


def _webhooks(url: str) -> Finding:
    """Report whether the gateway is found where the platform is told to send webhooks."""
    try:
        status, body = _get(f"{url}/healthz", trust_env=True)
    except requests.RequestException:
        text = f"{url} doesn't respond to this machine"
        fix = "The platform must reach the gateway there, from outside. Without webhooks, runs are polled."
        return Finding("webhooks", is_good=True, text=text, fix=fix)
    if body == b'{"status":"ok"}':
        return Finding("webhooks", is_good=True, text=f"the gateway is reached at {url}")
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:  # a proxy may let webhooks through only
        text = f"{url} refuses to be looked at (HTTP {status}): whether webhooks get through isn't known"
        return Finding("webhooks", is_good=True, text=text)
    text, fix = f"{url} leads elsewhere (HTTP {status})", "Set ACTORLINE_PUBLIC_URL, or mend the proxy in front."
    return Finding("webhooks", is_good=False, text=text, fix=fix)


def _get(url: str, *, trust_env: bool = False) -> tuple[int, bytes]:
    """Return status and the beginning of the body. `trust_env`: proxies count; this machine needs none for itself."""
    with requests.Session() as session:
        session.trust_env = trust_env
        session.auth = lambda request: request  # nothing from ~/.netrc
        for scheme in ("http://", "https://"):
            session.mount(scheme, OutboundAdapter())
        with session.get(url, timeout=RESPONSE_SECS, allow_redirects=False, stream=True) as response:
            return response.status_code, next(response.iter_content(READ_BYTES), b"").strip()
