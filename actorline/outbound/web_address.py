"""A web address in a document: whether it may be called, as far as its text shows.

Only listed hosts, or else only public addresses, are called; `outbound/exchange.py` checks that when it connects.
"""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from actorline.outbound.public_address import is_public


def address_problem(url: str, hosts: Sequence[str]) -> str | None:
    """Return why this URL must not be called; None: it may be. `hosts`: the only allowed ones, in small letters; none:
    all that are public.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is not a URL"
    if parts.username is not None:
        return "must not have a user or password"
    if parts.scheme not in {"http", "https"}:
        return "must begin with https:// or http://"
    if host is None or port == 0:
        return "has no host"
    return _host_problem(host.lower(), hosts)


def _host_problem(host: str, hosts: Sequence[str]) -> str | None:
    shown = f"names the host {host[:100]!a}"
    if hosts:
        return None if host in hosts else f"{shown}, which isn't listed"
    return f"{shown}, which isn't public" if _is_plainly_private(host) else None


def _is_plainly_private(host: str) -> bool:
    """Return whether the text alone shows it; other names are resolved when they are called."""
    name = host.rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return not is_public(name)
