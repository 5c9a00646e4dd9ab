"""What the platform's refusal of a start becomes: a reason, in its own words, with what a person can do about it."""

from collections.abc import Mapping
from typing import Final

from actorline.errors import Code, Reason
from actorline.platform import errors as platform_errors
from actorline.stages.start.advice import advise

_CODES: Final[Mapping[type[platform_errors.PlatformError], Code]] = {
    platform_errors.AuthFailed: Code.AUTH,
    platform_errors.Forbidden: Code.FORBIDDEN,
    platform_errors.NotFound: Code.ACTOR_NOT_FOUND,
    platform_errors.CapacityExceeded: Code.CAPACITY,
    platform_errors.RateLimited: Code.CAPACITY,
    platform_errors.PlatformUnavailable: Code.PLATFORM_UNAVAILABLE,
}


def refusal_reason(error: platform_errors.PlatformError, code: Code | None = None) -> Reason:
    """`code`: what it means here, where that isn't told by the kind of the error."""
    message = f"{error}. No run was started.{advise(error.type)}"
    found = code or _CODES.get(type(error), Code.INPUT_INVALID)
    return Reason(code=found, message=message, platform_type=error.type, billed=False)
