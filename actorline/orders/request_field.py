"""A request that may come twice is carried out once: the change that it asks for also records its id in the job."""

import hashlib
import secrets


def request_field(wish: str, request: str | None) -> str:
    """Return the field of `job:{key}` that records that the `wish` (cancel, retry) of `request` was carried out.

    `request`: an id that is the same however often the request comes, such as a Celery task's. None: it has none; the
    field then only covers a call to Redis that is repeated because its reply was lost.
    """
    digest = hashlib.sha256((request or secrets.token_hex(16)).encode()).hexdigest()
    return f"asked:{wish}:{digest[:32]}"
