"""The token of a job's account, which only the workers have: wrong or missing, nothing is started and it is told."""

import json
import subprocess
import sys

import pytest
from pydantic import SecretStr
from real_parts import TOKEN, WORKER, make_line, reason_of, running_emulator, running_workers
from terminal import actorline

from actorline.errors import Code, Reason, Refused
from actorline.jobs.document.parse import parse_document
from actorline.ledger.accounts import Owner, check_owner, move_account, read_owner
from actorline.ledger.change import Change
from actorline.ledger.registration import NewJob
from actorline.settings import load_settings
from actorline.stages.start.no_account import ACCOUNT_TRIES, refuse_start
from actorline.stages.start.start_run import load_startable

pytestmark = pytest.mark.thorough

TOKEN_OF_NOBODY = "apify_api_CanaryOfNobody"


def test_wrong_or_missing_token_at_the_workers_starts_nothing(own_line):
    line = own_line("wrong-token", accounts__shop=TOKEN_OF_NOBODY)
    line.environment.pop("APIFY_TOKEN")
    actor = line.emulator.actor("unauthorised", items=1)
    reasons = {}
    with running_workers(line, "all"):
        orders = {account: line.submit({"actor": actor, "account": account}) for account in ("default", "shop")}
        for account, order in orders.items():
            with pytest.raises(Exception) as raised:  # noqa: PT011
                order.get(timeout=120)
            assert type(raised.value).__name__ == "JobRefused"
            reasons[account] = reason_of(raised.value)
    assert [(reason["code"], reason["billed"]) for reason in reasons.values()] == [("auth", False)] * 2
    assert "Set APIFY_TOKEN where the workers run" in reasons["default"]["message"]
    assert "No run was started. Check the token of the job's account" in reasons["shop"]["message"]
    assert TOKEN_OF_NOBODY not in str(reasons)
    assert line.emulator.runs_of(actor) == []


# -- whose account an alias stands for


@pytest.fixture
def two_users(tmp_path):
    """An emulator whose tokens are two users': of one of them there are two."""
    profile = tmp_path / "profile.json"
    profile.write_text(
        json.dumps({"accounts": {TOKEN: "demo", "apify_api_rolled": "demo", "apify_api_other": "other"}})
    )
    with running_emulator("--profile", str(profile)) as emulator:
        yield emulator


def test_worker_with_another_users_token_does_not_start(valkey, two_users, tmp_path):
    line = make_line(valkey, two_users, tmp_path, "two-users")
    settings = load_settings(api_url=two_users.url)

    def use(token):
        check_owner(line.ledger, "default", read_owner(settings, SecretStr(token)))

    use(TOKEN)
    use("apify_api_rolled")  # the same user's
    with pytest.raises(Refused, match="belongs to other, but in this ledger default is demo"):
        use("apify_api_other")
    worker = [sys.executable, "-P", "-W", "ignore", *WORKER, "control"]
    environment = {**line.environment, "APIFY_TOKEN": "apify_api_other"}
    refused = subprocess.run(worker, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 7
    assert "ACTORLINE_NAMESPACE" in refused.stderr
    assert "actorline accounts --moved default" in refused.stderr
    assert "apify_api_other" not in refused.stderr
    doubted = actorline(line, "doctor", "--json", APIFY_TOKEN="apify_api_other")
    (token,) = [finding for finding in doubted.lines if finding["subject"] == "token"]
    assert (doubted.code, token["is_good"]) == (1, False)
    assert "belongs to other, but in this ledger default is demo" in token["text"]
    assert "actorline accounts --moved default" in token["fix"]
    move_account(line.ledger, "default", read_owner(settings, SecretStr("apify_api_other")))
    use("apify_api_other")
    with pytest.raises(Refused):
        use(TOKEN)
    line.client.close()


def test_job_of_an_account_of_other_workers_waits_for_them(own_line):
    line = own_line("served-elsewhere")
    reason = Reason(code=Code.AUTH, message="No token is set.", billed=False)
    check_owner(line.ledger, "shop", Owner(id="u1", username="shop"))
    for account in ("shop", "nobodys"):
        document = parse_document({"actor": "x", "account": account})
        line.ledger.register([NewJob(account, document, "file:///rows/", fresh=False)], due_in_s=10)
        refuse_start(line.ledger, load_startable(line.ledger, account, 1), reason)
    waiting, failed = line.ledger.load("shop"), line.ledger.load("nobodys")
    assert (waiting.state, waiting.waiting_for, failed.state) == ("WAITING", "auth", "FAILED")
    # an outage, seen by a worker that can use the account
    outage = {"failures": ACCOUNT_TRIES, "waiting_for": Code.PLATFORM_UNAVAILABLE}
    line.ledger.change("shop", Change(fields=outage), epoch=1)
    for _ in range(ACCOUNT_TRIES):
        refuse_start(line.ledger, load_startable(line.ledger, "shop", 1), reason)
        assert line.state("shop") == "WAITING"
    refuse_start(line.ledger, load_startable(line.ledger, "shop", 1), reason)
    assert line.state("shop") == "FAILED"
