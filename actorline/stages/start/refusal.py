"""The reason that a start's refusal becomes: in the platform's own words, with what a person can do about it."""

from collections.abc import Mapping
from typing import Final

from actorline.errors import Code, Reason
from actorline.platform import errors as platform_errors

_CODES: Final[Mapping[type[platform_errors.PlatformError], Code]] = {
    platform_errors.AuthFailed: Code.AUTH,
    platform_errors.Forbidden: Code.FORBIDDEN,
    platform_errors.NotFound: Code.ACTOR_NOT_FOUND,
    platform_errors.CapacityExceeded: Code.CAPACITY,
    platform_errors.PlatformUnavailable: Code.PLATFORM_UNAVAILABLE,
}

_IS_IT_RIGHT: Final = "Check the token of the job's account where the workers run."
_ADVICE: Final[Mapping[str, str]] = {
    "full-permission-actor-not-approved": "Approve the Actor's permissions in the console, once, or order it with "
    '"force_permission_level": "LIMITED_PERMISSIONS" among its options if it can do with less.',
    "actor-not-found": "Is its name right, and may the account of this token see it?",
    "user-or-token-not-found": _IS_IT_RIGHT,
    "invalid-token": _IS_IT_RIGHT,
    "insufficient-permissions": "Give the token the right to run it, in the console under Settings.",
    "actor-is-not-rented": "Rent the Actor in the console.",
    "actor-disabled": "Its owner has switched the Actor off: ask them, or order another one.",
    "apify-plan-required-to-use-paid-actor": "The account needs a paid plan for this Actor.",
    "not-enough-usage-to-run-paid-actor": "Raise the account's limit in the console under Billing.",
    "monthly-usage-limit-too-low": "Raise the account's limit in the console under Billing.",
    "platform-feature-disabled": "Look at the account's limits in the console under Billing.",
    "build-not-found": "Look at the Actor's builds in the console: options.build names one by its tag or number.",
    "unknown-build-tag": "Look at the Actor's builds in the console: options.build names one by its tag or number.",
}
"""What a person can do, by the platform's error type: `docs/platform-facts.md#errors`."""
_MAY_LIST: Final = "The token must be allowed to list runs: give it that right in the console, under Settings."


def refusal_reason(error: platform_errors.PlatformError, code: Code | None = None) -> Reason:
    """Return why no run was started. `code`: what the error means here, where its kind doesn't say it."""
    message = f"{error}. No run was started. {advice_on(error)}".rstrip()
    found = code or next((code for kind, code in _CODES.items() if isinstance(error, kind)), Code.INPUT_INVALID)
    return Reason(code=found, message=message, platform_type=error.type, billed=False)


def asks_for_list(error: platform_errors.PlatformError) -> bool:
    """Return whether the request that failed asked for the list of the account's runs."""
    return error.request.endswith("/actor-runs")


def advice_on(error: platform_errors.PlatformError) -> str:
    """Return what a person can do about a refusal; empty: nothing is known."""
    if isinstance(error, platform_errors.Forbidden) and asks_for_list(error):
        return _MAY_LIST
    return _ADVICE.get(error.type or "", "")
