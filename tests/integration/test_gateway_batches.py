"""Batches over HTTP and by the Python client: ordered, followed, read as one delivery, cancelled and retried."""

import json

import pytest
from gateway_process import running_gateway
from real_parts import running_line, wait_for

from actorline.api_keys import create_key
from actorline.batches.batch import BatchResult
from actorline.client import Client
from actorline.errors import Refused
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import TERMINAL

TOKEN = "0123456789abcdef0123456789abcdef"
INPUTS = [{"page": page} for page in range(4)]


@pytest.fixture(scope="module")
def line(valkey, emulator, tmp_path_factory):
    """A line of its own: its API keys would close the gateways of others."""
    with running_line(valkey, emulator, tmp_path_factory.mktemp("line"), "gw-batches") as line:
        yield line


@pytest.fixture(scope="module")
def gateway(line):
    with running_gateway(line, token=TOKEN, ACTORLINE_GATEWAY_KEY=TOKEN) as gateway:
        yield gateway


def ended(gateway, key):
    def look():
        result = gateway.http.get(f"/v1/batches/{key}", params={"wait": 60}).json()
        return result if result["state"] in TERMINAL else None

    return wait_for(look, what=f"the end of {key}")


@pytest.fixture(scope="module")
def delivered(gateway):
    actor = gateway.line.emulator.actor("gw-batch", items=5, duration_secs=0)
    document = {"template": {"actor": actor}, "inputs": INPUTS, "max_running": 2}
    response = gateway.http.post("/v1/batches", json=document, headers={"Idempotency-Key": "gw-batch"})
    assert (response.status_code, response.headers["Location"]) == (202, "/v1/batches/gw-batch")
    again = gateway.http.post("/v1/batches", json={**document, "key": "gw-batch"})
    assert again.status_code == 200
    return ended(gateway, "gw-batch")


def test_ordered_batch_is_delivered_with_one_result(gateway, delivered):
    assert BatchResult.model_validate(delivered).state == "DELIVERED"
    assert (delivered["kind"], delivered["items"], delivered["members"]) == ("batch", 20, {"DELIVERED": 4})


def test_dry_run_says_what_a_batch_would_cost_and_starts_nothing(gateway, delivered):
    del delivered
    actor = gateway.line.emulator.actor("gw-batch", items=5, duration_secs=0)
    document = {"key": "gw-dry", "template": {"actor": actor}, "inputs": INPUTS}
    found = gateway.http.post("/v1/batches", json=document, params={"dry_run": 1})
    assert (found.status_code, found.json()["runs"], found.json()["like_it"]["runs"]) == (200, 4, 4)
    assert gateway.http.get("/v1/batches/gw-dry").status_code == 404
    joining = gateway.http.post("/v1/batches", json={**document, "key": "gw-batch"}, params={"dry_run": 1}).json()
    assert (joining["runs"], [reason["code"] for reason in joining["refusals"]]) == (0, ["conflict"])


def test_rows_of_all_members_come_in_order_or_as_a_range(gateway, delivered):
    del delivered
    whole = gateway.http.get("/v1/batches/gw-batch/items")
    assert (whole.headers["Content-Type"], whole.headers["Actorline-Complete"]) == ("application/x-ndjson", "true")
    members = [gateway.http.get(f"/v1/jobs/gw-batch.00000{number}/items").text for number in range(4)]
    assert whole.text == "".join(members)
    part = gateway.http.get("/v1/batches/gw-batch/items", params={"offset": 4, "limit": 8}).text
    assert part.splitlines() == whole.text.splitlines()[4:12]


def test_members_are_listed_in_the_order_of_the_inputs(gateway, delivered):
    del delivered
    first = gateway.http.get("/v1/batches/gw-batch/members", params={"limit": 3}).json()
    rest = gateway.http.get("/v1/batches/gw-batch/members", params={"cursor": first["next_cursor"]}).json()
    keys = [member["key"] for member in (*first["members"], *rest["members"])]
    assert (keys, rest["next_cursor"]) == ([f"gw-batch.00000{number}" for number in range(4)], None)
    assert gateway.http.get("/v1/batches/gw-batch/members", params={"state": "FAILED"}).json()["members"] == []


def test_timeline_of_a_batch_ends_with_its_result(gateway, delivered):
    text = gateway.http.get("/v1/batches/gw-batch/events").text
    lines = [line.partition(": ")[2] for line in text.splitlines() if line.startswith(("event: ", "data: "))]
    assert lines[0::2] == ["queued", "inputs-stored", "ended", "result"]
    assert json.loads(lines[-1]) == delivered


def test_bad_batch_is_refused_with_what_is_wrong(gateway, delivered):
    del delivered
    good = {"template": {"actor": "demo/x"}, "inputs": INPUTS}
    for fields, status in (({"inputs": []}, 422), ({"max_runing": 1}, 422), ({"inputs_url": "file:///etc/x"}, 422)):
        response = gateway.http.post("/v1/batches", json={**good, **fields})
        assert (response.status_code, response.json()["billed"]) == (status, False)
    conflict = gateway.http.post("/v1/batches", json={**good, "key": "gw-batch"})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "conflict")
    assert gateway.http.get("/v1/batches/nobody").status_code == 404


def test_cancel_and_retry_of_a_batch(gateway):
    actor = gateway.line.emulator.actor("gw-batch-stopped", items=2, duration_secs=600)
    document = {"key": "gw-stopped", "template": {"actor": actor}, "inputs": INPUTS, "max_running": 2}
    gateway.http.post("/v1/batches", json=document)
    wait_for(lambda: len(gateway.line.emulator.runs_of(actor)) == 2)
    assert gateway.http.post("/v1/batches/gw-stopped/retry").status_code == 409
    assert gateway.http.post("/v1/batches/gw-stopped/cancel").status_code == 202
    assert ended(gateway, "gw-stopped")["state"] == "CANCELLED"
    gateway.line.emulator.actor("gw-batch-stopped", items=2, duration_secs=0)
    assert gateway.http.post("/v1/batches/gw-stopped/retry").status_code == 202
    assert (result := ended(gateway, "gw-stopped"))["state"] == "DELIVERED"
    assert result["members"] == {"DELIVERED": 4}


def test_key_of_another_account_is_told_nothing_of_a_batch(gateway, delivered):
    del delivered
    rights = Rights(scopes=frozenset(Scope), accounts=frozenset({"other"}))
    key = create_key(gateway.line.ledger, "gw-batch-stranger", rights, FROM_TERMINAL)
    headers = {"Authorization": f"Bearer {key}"}
    for path in ("", "/members", "/events", "/items"):
        assert gateway.http.get(f"/v1/batches/gw-batch{path}", headers=headers).status_code == 404
    assert gateway.http.post("/v1/batches/gw-batch/cancel", headers=headers).status_code == 404
    document = {"key": "gw-batch", "account": "other", "template": {"actor": "demo/x"}, "inputs": [{}]}
    member = {"key": "gw-batch.000009", "account": "other", "actor": "demo/x"}
    for path, taken in (("/v1/batches", document), ("/v1/jobs", member)):
        conflict = gateway.http.post(path, json=taken, headers=headers)
        assert (conflict.status_code, conflict.json()["detail"]) == (
            409, "The key is already in use. Nothing was changed. Use a new key.",
        )  # fmt: skip


UNREADABLE_SOURCES = {
    "rows-of-another-account": (Rights(accounts=frozenset({"other"})), "gw-batch/000000/_actorline.json"),
    "rows-by-a-coded-path": (Rights(accounts=frozenset({"other"})), "gw-batch/000000%2F_actorline.json"),
    "rows-without-read": (Rights(scopes=frozenset({Scope.SUBMIT})), "gw-batch/000000/_actorline.json"),
    "inputs-of-another-key": (Rights(), "gw-batch/_inputs/inputs.jsonl"),
}


@pytest.mark.parametrize("name", UNREADABLE_SOURCES)
def test_key_reads_nothing_by_a_batch_that_is_hidden_from_it(gateway, delivered, name):
    del delivered
    rights, path = UNREADABLE_SOURCES[name]
    actor = gateway.line.emulator.actor("gw-batch-hidden", items=1, duration_secs=0)
    key = create_key(gateway.line.ledger, f"gw-{name}", rights, FROM_TERMINAL)
    account = next(iter(rights.accounts or {"default"}))
    document = {"key": f"gw-{name}", "account": account, "template": {"actor": actor}, "inputs_url": url(gateway, path)}
    taken = gateway.http.post("/v1/batches", json=document, headers={"Authorization": f"Bearer {key}"})
    assert taken.status_code == 202
    assert ended(gateway, f"gw-{name}")["reason"]["code"] == "input-unreadable"
    assert gateway.line.emulator.starts(actor) == []


def test_key_that_reads_the_rows_has_them_as_inputs(gateway, delivered):
    del delivered
    actor = gateway.line.emulator.actor("gw-batch-onward", items=1, duration_secs=0)
    key = create_key(gateway.line.ledger, "gw-reader", Rights(accounts=frozenset({"default"})), FROM_TERMINAL)
    source = url(gateway, "gw-batch/000000/_actorline.json")
    document = {"key": "gw-onward", "template": {"actor": actor}, "inputs_url": source}
    gateway.http.post("/v1/batches", json=document, headers={"Authorization": f"Bearer {key}"})
    assert ended(gateway, "gw-onward")["state"] == "DELIVERED"


def url(gateway, path):
    return f"file://{gateway.line.home}/rows/{path}"


def test_key_with_dollars_a_day_pays_for_all_members_at_once(gateway):
    actor = gateway.line.emulator.actor("gw-batch-paid", items=1, duration_secs=0)
    rights = Rights(scopes=frozenset({Scope.SUBMIT, Scope.READ}), max_usd_per_day=3)
    key = create_key(gateway.line.ledger, "gw-batch-poor", rights, FROM_TERMINAL)
    template = {"actor": actor, "options": {"max_total_charge_usd": 1.0}}
    document = {"key": "gw-poor", "template": template, "inputs": INPUTS}
    headers = {"Authorization": f"Bearer {key}"}
    refused = gateway.http.post("/v1/batches", json=document, headers=headers)
    assert (refused.status_code, "may cost $4" in refused.json()["detail"]) == (403, True)
    taken = gateway.http.post("/v1/batches", json={**document, "inputs": INPUTS[:3]}, headers=headers)
    assert taken.status_code == 202
    assert ended(gateway, "gw-poor")["state"] == "DELIVERED"
    assert len(gateway.line.emulator.starts(actor)) == 3


def test_client_orders_a_batch_and_reads_its_rows(line):
    actor = line.emulator.actor("client-batch", items=4, duration_secs=0)
    with Client(line.broker, line.results, queue=line.namespace) as client:
        order = client.submit_batch({"template": {"actor": actor}, "inputs": INPUTS[:3]})
        result = client.wait(order, timeout=120)
        assert (result.state, result.items) == ("DELIVERED", 12)
        assert client.wait(order.key, timeout=60) == result
        items = list(client.iter_items(order))
        each = [row for number in range(3) for row in client.iter_items(f"{order.key}.00000{number}")]
        assert items == each
        with pytest.raises(Refused, match=r"inputs\[0\] must be an object"):
            client.submit_batch({"template": {"actor": actor}, "inputs": [1]})
