"""Ids that look like the platform's: 17 letters and digits."""

import hashlib
import secrets

_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
_LENGTH = 17


def random_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def stable_id(kind: str, name: str) -> str:
    """Return the same id for the same kind and name, in every process."""
    digest = hashlib.sha256(f"{kind}:{name}".encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:_LENGTH])
