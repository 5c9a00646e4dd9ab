"""The official client, through Prism: what it reads is what the emulator generated, and in the document's form.

One exception to the document: without an input the client starts an Actor with `null`
(`docs/platform-facts.md#input`), where the document asks for an object; so an input is always given here.
"""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from apify_client import ApifyClient
from real_parts import TOKEN

pytestmark = pytest.mark.usefixtures("document_is_kept")

RECORDS: dict[str, Any] = {
    "OUTPUT": {"body": {"answer": 42, "text": "ünïcode", "deep": [None, {"er": 1.5}]}},
    "page": {"content_type": "text/html; charset=utf-8", "body": "<p>é</p>"},
}


@pytest.fixture(scope="module")
def client(prism) -> ApifyClient:
    return ApifyClient(TOKEN, api_url=prism.url, max_retries=0)


@pytest.fixture
def run(client, emulator):
    """Starts an Actor that behaves so, and waits for the end of its run."""

    def finished(**script):
        actor = emulator.actor("official", **script)
        run = client.actor(actor).start(run_input={"startUrls": []}, memory_mbytes=256, wait_for_finish=1)
        return client.run(run.id).wait_for_finish(wait_duration=timedelta(seconds=20))

    return finished


@pytest.mark.parametrize("query", [{}, {"desc": True, "offset": 3, "limit": 1900}])
def test_items_it_iterates_are_those_generated(client, emulator, run, query):
    ended = run(items=2500, item_kind="plain", duration_secs=0.5)
    assert ended.status == "SUCCEEDED"
    items = list(client.dataset(ended.default_dataset_id).iterate_items(**query))
    assert items == generated(emulator, ended, query)


@pytest.mark.parametrize("query", [{}, {"clean": True}])
def test_items_of_all_that_json_allows_are_those_generated(emulator, run, query):
    ended = run(items=2500, item_kind="nasty", duration_secs=0)
    straight = ApifyClient(TOKEN, api_url=emulator.url, max_retries=0)  # Prism rounds integers above 2 ** 53
    assert list(straight.dataset(ended.default_dataset_id).iterate_items(**query)) == generated(emulator, ended, query)


def test_keys_past_a_thousand_and_every_record_are_those_written(client, run):
    store = client.key_value_store(run(duration_secs=0, record_count=2100, records=RECORDS).default_key_value_store_id)
    keys = [found.key for found in store.iterate_keys()]
    assert keys == ["INPUT", *(f"KEY-{n:05d}" for n in range(1, 2101)), "OUTPUT", "page"]
    assert store.get_record("INPUT")["value"] == {"startUrls": []}
    assert store.get_record("KEY-02100")["value"] == {"number": 2100}
    assert store.get_record("OUTPUT")["value"] == RECORDS["OUTPUT"]["body"]
    assert store.get_record("page")["value"] == RECORDS["page"]["body"]
    assert store.get_record("absent") is None


def test_run_it_aborts_ends_aborted(client, emulator):
    run = client.actor(emulator.actor("official-endless", duration_secs=600)).start(run_input={})
    assert client.run(run.id).abort().status == "ABORTING"
    assert client.run(run.id).wait_for_finish(wait_duration=timedelta(seconds=20)).status == "ABORTED"
    assert client.run(run.id).get().finished_at is not None


def test_actor_task_it_starts_takes_the_overrides(client, emulator):
    emulator.actor_task("official", emulator.actor("official", duration_secs=0), input={"depth": 1, "country": "CH"})
    run = client.task("demo/official").call(task_input={"depth": 5}, wait_duration=timedelta(seconds=20))
    assert client.run(run.id).key_value_store().get_record("INPUT")["value"] == {"depth": 5, "country": "CH"}
    assert client.task("demo/official").last_run().get().id == run.id


def generated(emulator, run, query):
    lines = emulator.item_lines(run.default_dataset_id, urlencode({name: int(value) for name, value in query.items()}))
    return [json.loads(line) for line in lines.splitlines()]


def test_webhooks_it_makes_and_their_dispatches(client, emulator):
    nobody = "http://127.0.0.1:9/hook"
    actor = client.actor(emulator.actor("told", items=1, duration_secs=0)).get()
    webhook = client.webhooks().create(
        event_types=["ACTOR.RUN.SUCCEEDED"], request_url=nobody, actor_id=actor.id, idempotency_key="official"
    )
    ad_hoc = {
        "event_types": ["ACTOR.RUN.CREATED"],
        "request_url": nobody,
        "payload_template": '{"run": {{resource.id}}}',
    }
    run = client.actor(actor.id).start(run_input={}, webhooks=[ad_hoc], wait_for_finish=1)
    dispatches = client.webhook_dispatches().list(desc=True, limit=2).items
    assert {each.event_type for each in dispatches} == {"ACTOR.RUN.CREATED", "ACTOR.RUN.SUCCEEDED"}
    assert {each.event_data.actor_run_id for each in dispatches} == {run.id}
    assert [each.event_type for each in client.webhook(webhook.id).dispatches().list().items] == ["ACTOR.RUN.SUCCEEDED"]
    straight = ApifyClient(TOKEN, api_url=emulator.url, max_retries=0)
    straight.webhook(webhook.id).delete()  # past Prism: the document wants a body in a 204
    assert client.webhook(webhook.id).get() is None
