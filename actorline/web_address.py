"""A web address that an order names: whether it may be called at all, as far as its text says.

It leads to a host that is listed, or else to a public address only; `exchange.py` sees to that when it calls.
"""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from actorline.public_address import is_public


def address_problem(url: str, hosts: Sequence[str]) -> str | None:
    """Why nothing is sent to this URL; None: it may be. `hosts`: the only ones, in small letters; none: all that are
    public.
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
    return _host_problem(host.lower(), hosts)


def _host_problem(host: str, hosts: Sequence[str]) -> str | None:
    shown = f"names the host {host[:100]!a}"
    if hosts:
        return None if host in hosts else f"{shown}, which isn't listed"
    return f"{shown}, which isn't public" if _is_plainly_private(host) else None


def _is_plainly_private(host: str) -> bool:
    """Whether the text alone says so; where another name leads is looked up when it is called."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return not is_public(name)
