"""A web address that an order names: it leads to a host that is listed, or else to a public address only.

Not even a name leads behind our own walls: the address is looked at when the connection stands, so that a name which
changes between look and call doesn't either. Redirects are for the caller to refuse.
"""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class PrivateAddressError(Exception):
    """The name leads to an address that isn't public."""


def address_problem(url: str, hosts: Sequence[str]) -> str | None:
    """Why nothing is sent to this URL; None: it may be. `hosts`: the only ones, in small letters; none: all. Where a
    name leads is looked at when it is called.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if parts.username is not None:
        return "must not hold a user or password"
    if parts.scheme not in {"http", "https"}:
        return "must begin with https:// or http://"
    if host is None or port == 0:
        return "names no host"
    if hosts and host.lower() not in hosts:
        return f"names the host {host[:100]!a}, which isn't listed"
    return None


def open_session(hosts: Sequence[str]) -> requests.Session:
    """A session without proxies or stored passwords. Without `hosts` its calls raise PrivateAddressError where a name
    leads to an address that isn't public.
    """
    session = requests.Session()
    session.trust_env = False
    if not hosts:
        session.mount("http://", _PublicAdapter())
        session.mount("https://", _PublicAdapter())
    return session


def _checked(connected: socket.socket) -> socket.socket:
    address = ipaddress.ip_address(connected.getpeername()[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if not (mapped or address).is_global:
        connected.close()
        raise PrivateAddressError
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
