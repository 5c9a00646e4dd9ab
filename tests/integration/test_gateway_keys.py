"""API keys: made, listed and revoked in the terminal, checked at the HTTP gateway."""

import json
import os
import pwd
import re
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest
from gateway_process import Gateway, refused_gateway, running_gateway
from real_parts import Line, make_line, wait_for
from terminal import Done, actorline

from actorline.api_keys import create_key, revoke_key
from actorline.checks.servers import lacks_key
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import FROM_TERMINAL
from actorline.settings import Settings

BOOTSTRAP = "canary-bootstrap-0123456789abcdef0123456789"
Cli = Callable[..., Done]


def cli_of(line: Line) -> Cli:
    return partial(actorline, line)


def make_key(
    line: Line, name: str, *, scopes: str = "submit,read,cancel", accounts: str = "default", **limits: Any
) -> str:
    rights = Rights(scopes=frozenset(map(Scope, scopes.split(","))), accounts=frozenset(accounts.split(",")), **limits)
    return create_key(line.ledger, name, rights, FROM_TERMINAL)


@pytest.fixture(scope="module")
def line(valkey, emulator, tmp_path_factory):
    """Nothing works here: orders stay where they are."""
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("line"), "gw-keys")
    yield line
    line.client.close()


@pytest.fixture(scope="module")
def cli(line):
    return cli_of(line)


@pytest.fixture(scope="module")
def keys(line):
    """API keys by name."""
    return {
        "all": make_key(line, "all", scopes="submit,read,cancel,cancel-any,retry-any,collect"),
        "default": make_key(line, "default"),
        "canceller": make_key(line, "canceller", scopes="cancel-any"),
        "web": make_key(line, "web", actors=frozenset({"apify~web-scraper"}), actor_tasks=frozenset()),
        "poor": make_key(line, "poor", max_usd_per_run=1, max_usd_per_day=2.5),
        "reader": make_key(line, "reader", scopes="read"),
        "orderer": make_key(line, "orderer", scopes="submit"),
        "second": make_key(line, "second", accounts="Second"),
        "both": make_key(line, "both", accounts="default,second"),
    }


@pytest.fixture(scope="module")
def gateway(line, keys):
    with running_gateway(line) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def ask(gateway: Gateway, keys):
    """Sends a request with the key of this name."""

    def send(name: str, method: str, path: str, **options: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {keys[name]}"}
        return gateway.http.request(method, path, headers=headers, **options)  # type: ignore[arg-type]

    return send


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


# -- the terminal


def test_a_key_is_shown_once_and_only_its_hash_is_kept(line, cli):
    done = cli("keys", "create", "shown-once", "--scope", "read,cancel", "--accounts", "default,b")
    secret = done.out.strip()
    assert re.fullmatch(r"actorline_shown-once_[\w-]{43}", secret)  # 256 bits
    stored = line.ledger.redis.hget(line.ledger.name("api_keys"), "shown-once")
    listed = cli("keys", "list")
    as_json = [json.loads(text) for text in cli("keys", "list", "--json").out.splitlines()]
    for text in (stored, listed.out, str(as_json)):
        assert secret.split("_", 2)[2] not in text  # the random part may hold more of them
    assert re.search(r"^shown-once +cancel, read +b, default +any +any +any ", listed.out, re.MULTILINE)
    (found,) = [key for key in as_json if key["name"] == "shown-once"]
    assert (found["scopes"], found["accounts"]) == (["cancel", "read"], ["b", "default"])


def test_a_name_is_taken_until_its_key_is_revoked(line, cli):
    first = make_key(line, "taken")
    done = cli("keys", "create", "taken")
    assert (done.code, done.out) == (5, "")
    assert "already" in done.err
    assert cli("keys", "revoke", "taken").code == 0
    assert make_key(line, "taken") != first


@pytest.mark.thorough
def test_a_key_covers_the_spellings_of_its_actors(line, cli, emulator):
    actor = emulator.actor("for-a-key")
    done = cli("keys", "create", "narrow", "--actors", actor, "--max-usd-per-run", "2")
    assert "Note:" not in done.err
    (found,) = [json.loads(text) for text in cli("keys", "list", "--json").out.splitlines() if "narrow" in text]
    actor_id = emulator.get(f"/v2/actors/{actor.replace('/', '~')}")["data"]["id"]
    assert set(found["actors"]) == {actor.replace("/", "~"), actor_id}
    assert (found["actor_tasks"], found["max_usd_per_run"], found["scopes"]) == ([], 2.0, ["cancel", "read", "submit"])
    wide = cli("keys", "create", "wide", "--scope", "submit,collect,full-permissions", "--accounts", "nope")
    assert wide.code == 0
    for words in ("every Actor", "any amount", "collect reads every run", "full-permissions gives", "account nope"):
        assert words in wide.err
    refused = cli("keys", "create", "never", "--actors", "demo/never-heard-of")
    assert (refused.code, refused.out) == (5, "")
    assert "No key was created" in refused.err


@pytest.mark.thorough
def test_who_changed_the_installation_is_kept(line, cli):
    cli("keys", "create", "audited", "--scope", "read")
    cli("keys", "revoke", "audited")
    cli("pause", "--account", "audited")
    cli("resume", "--account", "audited")
    entries = [json.loads(text) for text in cli("audit", "--json").out.splitlines()]
    mine = [each for each in entries if "audited" in (each.get("key"), each.get("account"))]
    assert [each["event"] for each in mine] == ["resumed", "paused", "key-revoked", "key-created"]
    assert {(each["door"], each["user"], each["host"]) for each in mine} == {
        ("cli", pwd.getpwuid(os.getuid()).pw_name, socket.gethostname())
    }
    assert "key-revoked" in cli("audit").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["create", "No Spaces"], "name"),
        (["create", "a", "--scope", "everything"], "submit, read, cancel"),
        (["create", "a", "--scope", ","], "at least one"),
        (["revoke", "never-made"], "There is no key"),
    ],
)
def test_what_makes_no_sense_is_refused(cli, arguments, words):
    done = cli("keys", *arguments)
    assert (done.code, done.out) == (5, "")
    assert words in done.err


# -- the door


def test_health_needs_no_key(gateway):
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert gateway.http.get(path).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Bearer",
        "Basic dXNlcjpwYXNz",
        "Bearer wrong",
        "Bearer actorline_all_wrong",
        "Bearer actorline_all_",
        "{all}",
        "Bearer actorline_nobody_x",
        "Bearer {all}x",
        "Bearer {all_but_one}",
        "Bearer \u00fc",
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/jobs"), ("POST", "/v1/jobs")])
def test_without_a_key_that_is_known_nothing_is_answered(gateway, keys, authorization, method, path):
    headers: dict[str, bytes] = {}
    if authorization is not None:
        filled = authorization.format(all=keys["all"], all_but_one=keys["all"][:-1])
        headers["Authorization"] = filled.encode()
    response = gateway.http.request(method, path, headers=headers)
    assert refusal(response) == (401, "auth")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert keys["all"] not in response.text


def test_a_request_without_a_key_is_refused_before_its_body(gateway):
    response = gateway.http.post("/v1/jobs", content=b" " * 5_000_000, headers={"Content-Type": "application/json"})
    assert refusal(response) == (401, "auth")


def test_the_word_bearer_is_taken_in_any_case(gateway, keys):
    assert gateway.http.get("/v1/jobs", headers={"Authorization": f"bearer  {keys['all']}"}).status_code == 200


def test_a_key_may_do_what_its_scopes_say(ask):
    order = {"key": "scoped", "actor": "x"}
    assert refusal(ask("reader", "POST", "/v1/jobs", json=order)) == (403, "forbidden")
    assert ask("orderer", "POST", "/v1/jobs", json=order).status_code == 202
    assert ask("reader", "GET", "/v1/jobs/scoped").status_code == 200
    for path in ("/v1/jobs", "/v1/jobs/scoped", "/v1/jobs/scoped/items", "/v1/jobs/scoped/events"):
        assert refusal(ask("orderer", "GET", path)) == (403, "forbidden")
    for name in ("reader", "orderer", "default"):
        assert refusal(ask(name, "POST", "/v1/jobs/scoped/cancel")) == (403, "forbidden")
    assert refusal(ask("reader", "POST", "/v1/jobs/scoped/retry")) == (403, "forbidden")
    assert ask("all", "POST", "/v1/jobs/scoped/cancel").status_code == 202


def test_a_key_cancels_and_retries_what_it_ordered(ask, line):
    assert ask("default", "POST", "/v1/jobs", json={"key": "mine", "actor": "x"}).status_code == 202
    assert ask("all", "POST", "/v1/jobs", json={"key": "mine", "actor": "x"}).status_code == 200  # it joins only
    assert ask("all", "POST", "/v1/jobs", json={"key": "not-mine", "actor": "x"}).status_code == 202
    for step in ("cancel", "retry"):
        refused = ask("default", "POST", f"/v1/jobs/not-mine/{step}")
        assert refusal(refused) == (403, "forbidden")
        assert f"{step}-any" in refused.json()["detail"]
    assert line.events("not-mine") == ["queued"]
    assert ask("default", "POST", "/v1/jobs/mine/cancel").status_code == 202
    assert refusal(ask("default", "POST", "/v1/jobs/mine/retry")) == (409, "conflict")  # allowed, but still running
    assert ask("canceller", "POST", "/v1/jobs/not-mine/cancel").status_code == 202


def test_who_may_not_read_learns_nothing_of_the_result(ask):
    order = {"key": "unread", "actor": "canary-actor", "sink": {"compression": "none"}}
    noted = [
        ask("default", "POST", "/v1/jobs", json=order), ask("canceller", "POST", "/v1/jobs/unread/cancel"),
        ask("orderer", "POST", "/v1/jobs", json=order),
    ]  # fmt: skip
    assert noted[0].json()["actor"] == "canary-actor"
    for response in noted[1:]:
        assert response.json() == {"key": "unread", "state": "QUEUED"}  # no zeros, which would be untrue soon


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("default", {"run_id": "theirRun"}),
        ("default", {"dataset_id": "theirDataset"}),
        ("default", {"actor": "x", "options": {"force_permission_level": "FULL_PERMISSIONS"}}),
        ("web", {"actor": "attacker/any"}),
        ("web", {"actor_task": "apify/web-scraper"}),
        ("poor", {"actor": "x"}),
        ("poor", {"actor": "x", "options": {"max_total_charge_usd": 1.5}}),
    ],
    ids=str,
)
def test_a_key_orders_only_what_it_is_for(ask, line, name, document):
    response = ask(name, "POST", "/v1/jobs", json={"key": "beyond", **document})
    assert refusal(response) == (403, "forbidden")
    assert line.state("beyond") is None
    assert ask("web", "POST", "/v1/jobs", json={"actor": "apify/web-scraper"}).status_code == 202


def test_orders_of_a_day_cost_no_more_than_the_key_may_spend(ask, line):
    """Twenty orders come at once; a repeat of one that was taken costs nothing more."""

    def order(number: int) -> int:
        document = {"key": f"poor-{number}", "actor": "x", "options": {"max_total_charge_usd": 0.5}}
        return ask("poor", "POST", "/v1/jobs", json=document).status_code

    with ThreadPoolExecutor(10) as threads:
        statuses = list(threads.map(order, range(20)))
    assert sorted(statuses) == [202] * 5 + [403] * 15
    assert [order(number) for number in range(20)] == [200 if status == 202 else 403 for status in statuses]
    refused = ask("poor", "POST", "/v1/jobs", json={"actor": "x", "options": {"max_total_charge_usd": 0.01}})
    assert "Today's orders have used $2.5" in refused.json()["detail"]
    (spent,) = line.ledger.redis.hvals(line.ledger.name("spent", "poor"))
    assert spent == "2500000000"


def test_the_timeline_and_the_audit_log_say_who_asked(ask, gateway, line, keys):
    ask("default", "POST", "/v1/jobs", json={"key": "traced", "actor": "x"})
    ask("all", "POST", "/v1/jobs/traced/cancel")
    gateway.http.get("/v1/jobs", headers={"Authorization": f"Bearer {keys['default']}x"})
    gateway.http.post(f"/v1/webhooks/apify/{'s' * 40}", json={})
    who = [(entry.event, entry.data) for entry in line.ledger.timeline.entries("traced")]
    assert who == [
        ("queued", {"door": "http", "by": "default", "address": "127.0.0.1"}),
        ("cancel-asked", {"door": "http", "by": "all", "address": "127.0.0.1"}),
    ]
    wait_for(lambda: "{secret}" in gateway.log.read_text(), what="the line of the last request")
    lines = [json.loads(text) for text in gateway.log.read_text().splitlines()]
    audit = [each for each in lines if each.get("logger") == "audit"]
    noted = {(each["event"], each.get("by"), each.get("job_key")) for each in audit if each["address"] == "127.0.0.1"}
    assert {("order", "default", "traced"), ("cancel", "all", "traced")} <= noted
    refused = [each for each in audit if each["event"] == "authentication-refused"]
    assert {("GET", "/v1/jobs", "default"), ("POST", "/v1/webhooks/apify/{secret}", None)} <= {
        (each["method"], each["path"], each.get("by")) for each in refused
    }
    for secret in (*keys.values(), "s" * 40):
        assert secret not in gateway.log.read_text()
    wait_for(
        lambda: int(line.ledger.redis.hget(line.ledger.name("tally"), "auth_refused") or 0) >= len(refused),
        within=120,
        what="the refusals counted",
    )


def test_a_key_orders_for_its_accounts_only(ask):
    order = {"key": "for-second", "actor": "x", "account": "second"}
    assert refusal(ask("all", "POST", "/v1/jobs", json=order)) == (403, "forbidden")
    assert refusal(ask("second", "POST", "/v1/jobs", json={"actor": "x"})) == (403, "forbidden")
    assert ask("second", "POST", "/v1/jobs", json=order).status_code == 202
    assert ask("both", "POST", "/v1/jobs", json=order).status_code == 200


def test_the_jobs_of_other_accounts_are_not_there(ask):
    order = {"key": "hidden", "actor": "canary-actor", "account": "second"}
    assert ask("second", "POST", "/v1/jobs", json=order).status_code == 202
    for method, path in (
        ("GET", ""),
        ("GET", "/items"),
        ("GET", "/events"),
        ("GET", "/records/OUTPUT"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
    ):
        there = ask("all", method, f"/v1/jobs/hidden{path}")
        nowhere = ask("all", method, f"/v1/jobs/nowhere{path}")
        assert refusal(there) == refusal(nowhere) == (404, "unknown-key")
        assert there.text.replace("hidden", "") == nowhere.text.replace("nowhere", "")
    lists = {name: ask(name, "GET", "/v1/jobs").json()["jobs"] for name in ("all", "second", "both")}
    listed = {name: [job["key"] for job in jobs] for name, jobs in lists.items()}
    assert "hidden" not in listed["all"]
    assert "hidden" in listed["second"]
    assert set(listed["both"]) >= set(listed["second"])


def test_a_key_of_another_account_is_a_conflict_and_says_no_more(ask):
    ask("second", "POST", "/v1/jobs", json={"key": "theirs", "actor": "x", "account": "second"})
    response = ask("all", "POST", "/v1/jobs", json={"key": "theirs", "actor": "x"})
    assert refusal(response) == (409, "conflict")
    assert "hash" not in response.text


def test_who_may_not_read_isnt_told_what_makes_a_conflict(ask):
    ask("all", "POST", "/v1/jobs", json={"key": "gk-guessed", "actor": "x", "input": {"n": 1}})
    guess = {"key": "gk-guessed", "actor": "x", "input": {"n": 2}}
    assert "which differs in input" in ask("all", "POST", "/v1/jobs", json=guess).text
    response = ask("orderer", "POST", "/v1/jobs", json=guess)
    assert refusal(response) == (409, "conflict")
    assert "differs" not in response.text


def test_a_key_works_at_once_and_at_most_a_second_after_its_end(gateway, line):
    secret = make_key(line, "short-lived")
    headers = {"Authorization": f"Bearer {secret}"}
    assert gateway.http.get("/v1/jobs", headers=headers).status_code == 200
    revoke_key(line.ledger, "short-lived", FROM_TERMINAL)
    wait_for(lambda: gateway.http.get("/v1/jobs", headers=headers).status_code == 401, within=60, what="the key's end")


@pytest.mark.parametrize("what", ["jobs", "batches"])
def test_a_request_that_takes_long_ends_with_its_key(gateway, line, what):
    secret = make_key(line, f"long-{what}")
    headers = {"Authorization": f"Bearer {secret}"}
    order = {"jobs": {"actor": "x"}, "batches": {"template": {"actor": "x"}, "inputs": [{}]}}[what]
    url = f"{gateway.url}/v1/{what}/long-{what}"
    assert httpx.post(f"{gateway.url}/v1/{what}", json={"key": f"long-{what}", **order}, headers=headers).is_success
    with ThreadPoolExecutor() as pool, httpx.stream("GET", f"{url}/events", headers=headers, timeout=120) as events:
        lines = events.iter_lines()
        assert next(lines).startswith("id: ")
        waiting = pool.submit(httpx.get, url, params={"wait": 60}, headers=headers, timeout=90)
        revoke_key(line.ledger, f"long-{what}", FROM_TERMINAL)
        until = time.monotonic() + 100
        assert all(time.monotonic() < until for _ in lines), "the stream goes on"
        assert waiting.result(timeout=100).status_code == 401


def test_an_open_door_closes_for_good_with_the_first_key(own_line):
    line = own_line("gw-first-key")
    cli = cli_of(line)
    with running_gateway(line) as gateway:
        assert gateway.http.get("/v1/jobs").status_code == 200
        assert not lacks_key(Settings(), line.ledger)
        proxied = gateway.http.get("/v1/jobs", headers={"X-Forwarded-For": "198.51.100.7"})
        assert refusal(proxied) == (401, "auth")
        secret = make_key(line, "first")
        wait_for(lambda: gateway.http.get("/v1/jobs").status_code == 401, within=60, what="a closed door")
        assert gateway.http.get("/v1/jobs", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
        assert not lacks_key(Settings(), line.ledger)
        done = cli("keys", "revoke", "first")
        assert lacks_key(Settings(), line.ledger)
        assert not lacks_key(Settings(gateway_key=BOOTSTRAP), line.ledger)
        assert "stays closed until there is a new one: actorline keys create NAME" in done.err
    line.ledger.redis.delete(line.ledger.name("api_keys_used"))  # as FLUSHALL does
    with running_gateway(line) as gateway:
        assert refusal(gateway.http.get("/v1/jobs")) == (401, "auth")


def test_a_ledger_of_an_earlier_version_closes_the_door_too(own_line):
    """It holds keys, but no note that there ever were some; the last one is revoked while no gateway runs."""
    line = own_line("gw-earlier")
    make_key(line, "earlier")
    line.ledger.redis.delete(line.ledger.name("api_keys_used"))
    assert revoke_key(line.ledger, "earlier", FROM_TERMINAL) == 0
    with running_gateway(line) as gateway:
        assert refusal(gateway.http.get("/v1/jobs")) == (401, "auth")


def test_with_a_public_address_there_is_no_open_door(own_line):
    with running_gateway(own_line("gw-public", public_url="https://jobs.example.com")) as gateway:
        assert refusal(gateway.http.get("/v1/jobs")) == (401, "auth")


def test_the_operators_key_may_do_all_and_is_never_shown(own_line, tmp_path):
    line = own_line("gw-bootstrap")
    file = tmp_path / "key"
    file.write_text(f"{BOOTSTRAP}\n")
    key = {"token": BOOTSTRAP, "ACTORLINE_GATEWAY_KEY_FILE": str(file)}
    with running_gateway(line, "--host", "0.0.0.0", forked=False, **key) as gateway:
        assert gateway.order(key="boot", actor="x", account="any").status_code == 202
        assert gateway.http.post("/v1/jobs/boot/cancel").status_code == 202
        assert refusal(httpx.get(f"{gateway.url}/v1/jobs")) == (401, "auth")
        assert refusal(httpx.get(f"{gateway.url}/v1/jobs", headers={"Authorization": "Bearer x"})) == (401, "auth")
        command = subprocess.run(["ps", "-o", "command=", str(gateway.process.pid)], capture_output=True, check=True)
    assert BOOTSTRAP not in gateway.log.read_text()
    assert BOOTSTRAP.encode() not in command.stdout


@pytest.mark.thorough
def test_beyond_loopback_it_does_not_listen_without_a_key(own_line):
    done = cli_of(own_line("gw-none"))("gateway", "--host", "0.0.0.0", "--port", "0")
    assert done.code == 2
    assert "actorline keys create NAME" in done.err
    assert "The gateway was not started" in done.err


def test_an_operators_key_that_could_be_guessed_is_refused(own_line):
    done = refused_gateway(own_line("gw-weak"), ACTORLINE_GATEWAY_KEY="short")
    assert done.code == 2
    assert "32 characters" in done.err


def test_beyond_loopback_it_listens_with_a_key(own_line):
    line = own_line("gw-outside")
    secret = make_key(line, "outside")
    with running_gateway(line, "--host", "0.0.0.0", token=secret) as gateway:
        assert gateway.http.get("/v1/jobs", headers={"Host": "actorline.example"}).status_code == 200
        revoke_key(line.ledger, "outside", FROM_TERMINAL)
        wait_for(lambda: gateway.http.get("/v1/jobs").status_code == 401, within=60, what="the key's end")
        assert refusal(httpx.get(f"{gateway.url}/v1/jobs")) == (401, "auth")  # it isn't open then


@pytest.mark.thorough
def test_a_port_that_is_taken_is_said(gateway, line):
    port = str(httpx.URL(gateway.url).port)
    done = refused_gateway(line, "--port", port)
    assert done.code == 2
    assert f"127.0.0.1:{port} can't be listened on" in done.err
    assert "--port" in done.err


@pytest.mark.thorough
def test_without_redis_it_says_so(line):
    done = refused_gateway(line, "--host", "0.0.0.0", ACTORLINE_REDIS_URL="redis://127.0.0.1:1/0")
    assert done.code == 7
    assert "Redis can't be used: no connection. The gateway was not started." in done.err
