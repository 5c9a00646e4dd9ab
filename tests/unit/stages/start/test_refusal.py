"""What a person reads when the platform refuses a start."""

import pytest

from actorline.platform.errors import classify
from actorline.stages.start.refusal import refusal_reason


@pytest.mark.parametrize(
    ("status", "type_", "advice"),
    [
        (401, "user-or-token-not-found", "Is the token of the job's account right where the workers run?"),
        (403, "actor-disabled", "Its owner has switched the Actor off: ask them, or order another one."),
        (403, "actor-is-not-rented", "Rent the Actor in the console."),
        (400, "invalid-input", "No run was started."),
    ],
)
def test_refusal_says_what_to_do_and_that_nothing_runs(status, type_, advice):
    refused = classify(status, type_)("The platform's own words", status=status, type=type_)
    message = refusal_reason(refused).message
    assert "The platform's own words. No run was started." in message
    assert message.endswith(advice)
