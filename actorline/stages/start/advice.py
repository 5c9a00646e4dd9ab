"""What a person can do about a start that the platform refuses, by its error type: `docs/platform-facts.md#errors`."""

from collections.abc import Mapping
from typing import Final

IS_IT_RIGHT: Final = "Is the token of the job's account right where the workers run?"
ADVICE: Final[Mapping[str, str]] = {
    "full-permission-actor-not-approved": "Approve the Actor's permissions in the console, once, or order it with "
    '"force_permission_level": "LIMITED_PERMISSIONS" among its options if it can do with less.',
    "user-or-token-not-found": IS_IT_RIGHT,
    "invalid-token": IS_IT_RIGHT,
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


def advise(platform_type: str | None) -> str:
    """A sentence with a space before it, or nothing."""
    advice = ADVICE.get(platform_type or "")
    return f" {advice}" if advice else ""
