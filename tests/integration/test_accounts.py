"""The token of a job's account, which only the workers have: wrong or missing, nothing is started and it is told."""

import pytest
from real_parts import reason_of, running_workers

pytestmark = pytest.mark.thorough

TOKEN_OF_NOBODY = "apify_api_CanaryOfNobody"


def test_token_that_is_wrong_or_missing_where_the_workers_run_starts_nothing(own_line):
    line = own_line("wrong-token", accounts__shop=TOKEN_OF_NOBODY)
    line.environment.pop("APIFY_TOKEN")
    actor = line.emulator.actor("unauthorised", items=1)
    reasons = {}
    with running_workers(line, "all"):
        orders = {account: line.submit({"actor": actor, "account": account}) for account in ("default", "shop")}
        for account, order in orders.items():
            with pytest.raises(Exception) as raised:  # noqa: PT011
                order.get(timeout=20)
            assert type(raised.value).__name__ == "JobRefused"
            reasons[account] = reason_of(raised.value)
    assert [(reason["code"], reason["billed"]) for reason in reasons.values()] == [("auth", False)] * 2
    assert "Set APIFY_TOKEN where the workers run" in reasons["default"]["message"]
    assert "No run was started. Is the token of the job's account right" in reasons["shop"]["message"]
    assert TOKEN_OF_NOBODY not in str(reasons)
    assert line.emulator.runs_of(actor) == []
