"""What can go wrong with the platform, split by what the caller can do.

PlatformError
 ├ PlatformUnavailable   try again later: network, time-outs, 408, 425, 429, 5xx, or a response that is not the API's
 │  ├ RateLimited        try again later, more slowly: 429
 │  ├ PlatformBusy       nothing was sent: as many of our own threads as allowed are waiting for the platform
 │  ├ UnusableResponse   the response lacks what the platform documents: if it stays so, waiting doesn't help
 │  └ MissingLibrary     nothing was sent: the environment names a SOCKS proxy, and PySocks is not installed
 ├ CapacityExceeded      try again when other runs have ended: the account's memory or number of runs is used up
 ├ AuthFailed            ask a person: the token is missing, malformed or unknown
 ├ Forbidden             ask a person: rights, approval, rental, billing
 ├ NotFound              give up, or wait out a few seconds of replica lag just after a start
 └ InvalidRequest        give up: the request itself is refused
"""

# ruff: noqa: A002 -- `type` is the platform's word

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from actorline.json_size import fitting

MESSAGE_BYTES: Final = 500
NO_COLUMNS: Final = "no-columns-in-exported-dataset"
"""The type of the 400 that comes instead of a table in which no row has a column: `docs/platform-facts.md#formats`."""

_ENDS: Final = re.compile(r"(?:\.|[?!]+)\Z")


class PlatformError(Exception):
    """One call to the platform that failed; no class here ever holds a token."""

    status: int | None
    """HTTP status; None where no response came."""
    type: str | None
    """The platform's machine-readable error type, an open set; None where the response had none."""
    message: str
    """The platform's own words where it had any, at most 500 bytes as JSON, without what ends their last sentence: they
    are quoted in others.
    """
    attempts: int
    """How often the request was sent, or tried to be sent."""
    request: str
    """Method and URL without its query; empty where the error was not made from a call."""

    def __init__(
        self, message: str, *, status: int | None = None, type: str | None = None, attempts: int = 1, request: str = ""
    ) -> None:
        self.message = _ENDS.sub("", fitting(message, MESSAGE_BYTES).rstrip())
        super().__init__(self.message)
        self.status = status
        self.type = type
        self.attempts = attempts
        self.request = request

    def __str__(self) -> str:
        codes = " ".join(str(part) for part in (self.status, self.type) if part is not None)
        times = f"(after {self.attempts} attempts)" if self.attempts > 1 else ""
        return " ".join(filter(None, (self.request, codes and f"[{codes}]", self.message, times)))


class PlatformUnavailable(PlatformError):
    """Nothing is known to be wrong with the request. A request that acts may still have been carried out."""

    retry_after_s: float | None
    """Seconds the platform asked us to wait, already capped; None where it named none."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        type: str | None = None,
        attempts: int = 1,
        request: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, status=status, type=type, attempts=attempts, request=request)
        self.retry_after_s = retry_after_s


class RateLimited(PlatformUnavailable): ...


class PlatformBusy(PlatformUnavailable): ...


class UnusableResponse(PlatformUnavailable): ...


class MissingLibrary(PlatformUnavailable): ...


class CapacityExceeded(PlatformError): ...


class AuthFailed(PlatformError): ...


class Forbidden(PlatformError): ...


class NotFound(PlatformError): ...


class InvalidRequest(PlatformError): ...


# Sources disagree about the status of these: `invalid-token` comes with 400 or 401, the capacity types with 402 or 403.
# So the type decides: docs/platform-facts.md#errors
BY_TYPE: Final[Mapping[str, type[PlatformError]]] = MappingProxyType(
    {
        "actor-memory-limit-exceeded": CapacityExceeded,
        "concurrent-runs-limit-exceeded": CapacityExceeded,
        "invalid-token": AuthFailed,
        "token-not-provided": AuthFailed,
        "user-or-token-not-found": AuthFailed,
    }
)

# 408 covers the transient `operation-timed-out`, `socket-closed` and `socket-destroyed`, and the synchronous endpoints'
# `run-timeout-exceeded`, after which the run continues: none of them is a refusal. Nor is a 425, which asks for the
# same request again (RFC 8470, section 5.2). A 501 is one: the server lacks the call, and no repetition brings it
# (RFC 9110, section 15.6.2).
BY_STATUS: Final[Mapping[int, type[PlatformError]]] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: AuthFailed,
        HTTPStatus.PAYMENT_REQUIRED: Forbidden,
        HTTPStatus.FORBIDDEN: Forbidden,
        HTTPStatus.NOT_FOUND: NotFound,
        HTTPStatus.GONE: NotFound,
        HTTPStatus.REQUEST_TIMEOUT: PlatformUnavailable,
        HTTPStatus.TOO_EARLY: PlatformUnavailable,
        HTTPStatus.TOO_MANY_REQUESTS: RateLimited,
        HTTPStatus.NOT_IMPLEMENTED: InvalidRequest,
    }
)


def classify(status: int | None, type: str | None) -> type[PlatformError]:
    """Return the class for a response that isn't a success; `status` None means that there was no response."""
    if type is not None and type in BY_TYPE:
        return BY_TYPE[type]
    if status is None:
        return PlatformUnavailable
    is_refusal = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return BY_STATUS.get(status, InvalidRequest if is_refusal else PlatformUnavailable)


def asked_wait_s(error: BaseException | None) -> float:
    """Return the seconds that the platform asked us to wait before the next request; 0: it named none."""
    return (error.retry_after_s or 0.0) if isinstance(error, PlatformUnavailable) else 0.0
