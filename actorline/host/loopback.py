"""Whether an address is this machine's own, which nothing from outside reaches."""

import ipaddress


def is_loopback(host: str | None) -> bool:
    """Return whether a name or address stands for this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
