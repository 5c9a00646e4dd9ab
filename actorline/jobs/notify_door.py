"""The way out for notices: signed, bounded, and never to an address behind our own walls.

Not even by a name that leads there: the address is looked at when the connection stands, so neither a redirect (none is
followed) nor a name that changes between look and call leads to one.
"""

import ipaddress
import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from standardwebhooks.webhooks import Webhook
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from actorline import __version__
from actorline.settings import Settings

TIMEOUT_SECS: Final = (5.0, 15.0)


class NotToldError(Exception):
    """The receiver didn't take the notice; the message says why."""


def send_notice(url: str, event: Mapping[str, Any], settings: Settings) -> None:
    """POST an event. Raises NotToldError unless the answer is 2xx."""
    body = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    with requests.Session() as session:
        session.trust_env = False
        if not settings.notify_hosts:
            session.mount("http://", _PublicAdapter())
            session.mount("https://", _PublicAdapter())
        try:
            with session.post(
                url,
                data=body.encode(),
                headers=_headers(event["id"], body, settings),
                timeout=TIMEOUT_SECS,
                allow_redirects=False,
                stream=True,  # what the receiver says beyond its status isn't read
            ) as response:
                status = response.status_code
        except _PrivateAddressError as error:
            raise NotToldError(str(error)) from None
        except (requests.RequestException, ValueError) as error:
            message = f"the receiver can't be reached ({type(error).__name__})"
            raise NotToldError(message) from None
    if status // 100 != 2:  # noqa: PLR2004
        message = f"the receiver answered {status}"
        raise NotToldError(message)


def _headers(event_id: str, body: str, settings: Settings) -> dict[str, str]:
    """Standard Webhooks' headers; the signature if there is a secret to sign with."""
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"actorline/{__version__}",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    if settings.notify_secret:
        webhook = Webhook(settings.notify_secret.get_secret_value())
        headers["webhook-signature"] = webhook.sign(event_id, now, body)
    return headers


class _PrivateAddressError(Exception):
    pass


def _checked(connected: socket.socket) -> socket.socket:
    address = ipaddress.ip_address(connected.getpeername()[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if not (mapped or address).is_global:
        connected.close()
        message = "the receiver's address is private; list its host in ACTORLINE_NOTIFY_HOSTS if that is meant"
        raise _PrivateAddressError(message)
    return connected


class _PublicHTTP(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn())


class _PublicHTTPS(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn())


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTP


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPS


class _PublicAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}
