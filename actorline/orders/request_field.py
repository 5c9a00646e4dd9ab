"""A request that may come twice is obeyed once: who asked stands in the job, in the change that was asked for."""

import hashlib
import secrets


def request_field(wish: str, request: str | None) -> str:
    """Return the field of `job:{key}` that says that `request` had its `wish` (cancel, retry) fulfilled.

    `request`: what is the same however often the request comes, such as a Celery task's id. None: one that can't be
    told from others; its field only serves a call to Redis that is repeated because its reply was lost.
    """
    digest = hashlib.sha256((request or secrets.token_hex(16)).encode()).hexdigest()
    return f"asked:{wish}:{digest[:32]}"
