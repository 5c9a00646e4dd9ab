"""What is stored of a secret that others show to us: API keys, and those of webhooks."""

import hashlib


def digest(secret: str) -> str:
    """Return the secret's sha256. A plain hash is enough: 256 random bits can't be guessed from it."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
