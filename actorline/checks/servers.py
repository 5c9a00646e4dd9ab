"""Whether the servers of an installation respond where they should: gateway, Flower, and the platform's way in."""

from collections.abc import Iterator
from typing import Final

import requests

from actorline.checks.finding import Finding
from actorline.outbound.http_status import is_server_error
from actorline.settings import Settings

RESPONSE_SECS: Final = 3.0


def check_servers(settings: Settings, *, gateway: str | None, flower: str | None) -> Iterator[Finding]:
    """Yield a finding for each server there should be. `gateway`, `flower`: the URLs of the running stack's."""
    if gateway:
        yield _gateway(gateway)
    if flower:
        yield _flower(flower)
    if settings.public_url:
        yield _webhooks(settings.public_url)


def _gateway(url: str) -> Finding:
    try:
        response = _get(f"{url}/readyz")
    except requests.RequestException:
        text, fix = f"{url} doesn't respond", "Its log is logs/gateway.log in the home."
        return Finding("gateway", is_good=False, text=text, fix=fix)
    if not response.ok:
        return Finding("gateway", is_good=False, text=f"{url} takes no orders now: HTTP {response.status_code}")
    return Finding("gateway", is_good=True, text=f"{url} takes orders")


def _flower(url: str) -> Finding:
    try:
        response = _get(f"{url}/api/workers")
    except requests.RequestException:
        text, fix = f"{url} doesn't respond", "Its log is logs/flower.log in the home."
        return Finding("flower", is_good=False, text=text, fix=fix)
    if is_server_error(response.status_code):
        return Finding("flower", is_good=False, text=f"{url} doesn't work: HTTP {response.status_code}")
    if response.ok:
        text, fix = f"{url} is open to everyone who reaches it", "Set FLOWER_BASIC_AUTH=user:password, and restart it."
        return Finding("flower", is_good=False, text=text, fix=fix)
    return Finding("flower", is_good=True, text=f"{url} asks for a password")


def _webhooks(url: str) -> Finding:
    """Report whether the gateway is found where the platform is told to send webhooks."""
    try:
        is_ours = _get(f"{url}/healthz").json() == {"status": "ok"}
    except requests.exceptions.JSONDecodeError:
        is_ours = False
    except requests.RequestException:
        text = f"{url} doesn't respond to this machine"
        fix = "The platform must reach the gateway there, from outside. Without webhooks, runs are polled."
        return Finding("webhooks", is_good=True, text=text, fix=fix)
    if is_ours:
        return Finding("webhooks", is_good=True, text=f"the gateway is reached at {url}")
    text, fix = f"{url} is another server, not the gateway", "Set ACTORLINE_PUBLIC_URL, or mend the proxy in front."
    return Finding("webhooks", is_good=False, text=text, fix=fix)


def _get(url: str) -> requests.Response:
    return requests.get(url, timeout=RESPONSE_SECS, allow_redirects=False)
