"""What a person reads when the platform refuses a start."""

import pytest

from actorline.errors import Code
from actorline.platform.errors import Forbidden, PlatformBusy, RateLimited, UnusableResponse, classify
from actorline.stages.start.refusal import refusal_reason


@pytest.mark.parametrize(
    ("status", "type_", "advice"),
    [
        (401, "user-or-token-not-found", "Check the token of the job's account where the workers run."),
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


@pytest.mark.parametrize("outage", [RateLimited, PlatformBusy, UnusableResponse])
def test_an_outage_of_any_kind_is_no_fault_of_the_order(outage):
    assert refusal_reason(outage("not now")).code is Code.PLATFORM_UNAVAILABLE


def test_token_that_may_not_list_runs_is_told_what_it_lacks():
    facts = {"status": 403, "type": "insufficient-permissions"}
    listing = Forbidden("No", **facts, request="GET https://api.apify.com/v2/actor-runs")
    starting = Forbidden("No", **facts, request="POST https://api.apify.com/v2/actors/a~b/runs")
    assert "The token must be allowed to list runs" in refusal_reason(listing).message
    assert "Give the token the right to run it" in refusal_reason(starting).message
