"""Sends notices: signed, bounded in time, and never to a private address. Redirects are not followed."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import requests
from standardwebhooks.webhooks import Webhook

from actorline.ledger.admission.outside_places import Place
from actorline.outbound.exchange import SERVER_SILENCE_SECS, TookTooLong, Unreachable, exchange
from actorline.outbound.http_status import is_success
from actorline.outbound.user_agent import USER_AGENT
from actorline.settings import Settings

NOTICE_WITHIN_SECS: Final = 20.0


class NoticeFailed(Exception):
    """The receiver didn't accept the notice; the message says why."""


def send_notice(url: str, event: Mapping[str, Any], settings: Settings, place: Place) -> None:
    """POST an event. Raises NoticeFailed unless the response is 2xx, or what `place` raises if it is lost."""
    body = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    try:
        with (
            exchange(settings.notify_hosts, within_s=NOTICE_WITHIN_SECS) as session,
            place.kept(session.cut),
            session.post(
                url,
                data=body.encode(),
                headers=_headers(event["id"], body, settings),
                timeout=SERVER_SILENCE_SECS,
                allow_redirects=False,
                stream=True,  # the response's body isn't read
            ) as response,
        ):
            status = response.status_code
    except Unreachable as error:
        raise NoticeFailed(f"the receiver {error}; ACTORLINE_NOTIFY_HOSTS lists hosts that may be private") from None
    except TookTooLong as error:
        raise NoticeFailed(f"the receiver {error}") from None
    except (requests.RequestException, ValueError) as error:
        raise NoticeFailed(f"the connection to the receiver broke ({type(error).__name__})") from None
    if not is_success(status):
        raise NoticeFailed(f"the receiver responded with status {status}")


def _headers(event_id: str, body: str, settings: Settings) -> dict[str, str]:
    """Return Standard Webhooks' headers, with a signature if a secret is set."""
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if settings.notify_secret:
        webhook = Webhook(settings.notify_secret.get_secret_value())
        headers["webhook-signature"] = webhook.sign(event_id, now, body)
    return headers
