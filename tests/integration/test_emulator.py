"""The emulator as its own process: driven by the official client, by plain HTTP, and by sockets where it must break."""

import gzip
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from actorline.emulator.__main__ import open_listener
from actorline.emulator.app import CUT_OFF

pytestmark = pytest.mark.thorough

TOKEN = "apify_api_emulator"
OPENAPI = Path(__file__).parents[3] / "shared" / "apify-openapi" / "openapi.json"
needs_openapi = pytest.mark.skipif(not OPENAPI.exists(), reason="the platform's document is not beside the repo")


@dataclass
class Emulator:
    """A running emulator and one account's way to talk to it."""

    url: str
    process: subprocess.Popen[str]
    session: requests.Session

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=120, **options)

    def data(self, method: str, path: str, **options: Any) -> Any:
        response = self.call(method, path, **options)
        response.raise_for_status()
        return response.json()["data"]

    def refusal(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        response = self.call(method, path, **options)
        return response.status_code, response.json()["error"]["type"]

    def start(self, wait: int = 30, **script: Any) -> Any:
        return self.data("POST", f"/v2/actors/demo~rows/runs?waitForFinish={wait}", json={"emulate": script})

    def fault(self, action: str, **fields: Any) -> None:
        assert self.call("POST", "/emulator/faults", json=[{"action": action, **fields}]).status_code == 201

    def requests(self, **query: str) -> list[dict[str, Any]]:
        logged: list[dict[str, Any]] = self.call("GET", "/emulator/requests", params=query).json()
        return logged

    def client(self) -> Any:
        from apify_client import ApifyClient

        return ApifyClient(TOKEN, api_url=self.url, max_retries=0)


@contextmanager
def started(*arguments: str) -> Iterator[Emulator]:
    command = [sys.executable, "-m", "actorline.emulator", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        try:
            announced = json.loads(process.stdout.readline())
            assert announced["pid"] == process.pid
            with requests.Session() as session:
                session.headers["Authorization"] = f"Bearer {TOKEN}"
                yield Emulator(announced["url"], process, session)
            assert process.poll() is not None or stopped(process) == (0, "", "")
        finally:
            process.kill()


def stopped(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, the rest of standard output, standard error."""
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with started() as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Iterator[Emulator]:
    running.call("DELETE", "/emulator/requests")
    yield running
    running.call("DELETE", "/emulator/faults")


# The official client


def test_the_official_client_reads_every_item_once(emulator):
    client = emulator.client()
    script = {"duration_secs": 0.3, "items": 2500, "usage_usd": 0.5}
    run = client.actor("demo/rows").start(run_input={"emulate": script}, memory_mbytes=256)
    assert run.status in ("READY", "RUNNING")
    finished = client.run(run.id).wait_for_finish(wait_duration=timedelta(seconds=120))
    assert finished.status == "SUCCEEDED"
    assert finished.usage_total_usd == 0.5
    items = list(client.dataset(run.default_dataset_id).iterate_items())
    assert len(items) == 2500
    assert [item.get("index") for item in items if item] == [n for n in range(2500) if (n + 1) % 997]
    clean = list(client.dataset(run.default_dataset_id).iterate_items(clean=True))
    assert len(clean) == 2498
    assert not any(name.startswith("#") for item in clean for name in item)


def test_the_official_client_lists_many_keys_reads_a_record(emulator):
    client = emulator.client()
    run = emulator.start(duration_secs=0, record_count=2300, records={"OUTPUT": {"body": {"answer": 42}}})
    store = client.key_value_store(run["defaultKeyValueStoreId"])
    keys = [one.key for one in store.iterate_keys()]
    assert keys == ["INPUT", *(f"KEY-{n:05d}" for n in range(1, 2301)), "OUTPUT"]
    assert [one.key for one in store.iterate_keys(prefix="KEY-0230")] == ["KEY-02300"]
    assert store.get_record("OUTPUT")["value"] == {"answer": 42}
    assert store.get_record("KEY-02300")["value"] == {"number": 2300}
    assert store.get_record("MISSING") is None


def test_the_official_client_aborts_only_what_is_running(emulator):
    client = emulator.client()
    run = client.actor("demo/rows").start(run_input={"emulate": {"duration_secs": 600, "abort_secs": 0.2}})
    assert client.run(run.id).abort().status == "ABORTING"
    assert client.run(run.id).wait_for_finish(wait_duration=timedelta(seconds=120)).status == "ABORTED"
    assert client.run(run.id).abort(gracefully=True).status == "ABORTED"


def test_the_official_client_sees_errors_by_type(emulator):
    from apify_client.errors import ApifyApiError

    with pytest.raises(ApifyApiError) as refusal:
        emulator.client().actor("demo/unknown").start()
    assert (refusal.value.status_code, refusal.value.type) == (404, "actor-not-found")
    assert emulator.client().run("unknown").get() is None


def test_the_official_client_follows_the_log_to_the_end(emulator):
    run = emulator.start(wait=0, duration_secs=0.4)
    with emulator.client().log(run["id"]).stream(raw=True) as log:
        text = log.read().decode()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ACTOR: ", text)
    assert text.endswith("The run ended as SUCCEEDED.\n")


# Auth and addresses


@pytest.mark.parametrize(
    ("headers", "query", "status", "type_"),
    [
        ({"Authorization": ""}, "", 401, "token-not-provided"),
        ({"Authorization": "Bearer wrong"}, "", 401, "user-or-token-not-found"),
        ({"Authorization": ""}, "?token=wrong", 401, "user-or-token-not-found"),
        ({"Authorization": ""}, f"?token={TOKEN}", 200, None),
    ],
)
def test_only_a_known_token_opens_the_door(emulator, headers, query, status, type_):
    response = emulator.call("GET", f"/v2/users/me{query}", headers=headers)
    assert response.status_code == status
    assert response.json().get("error", {}).get("type") == type_


def test_unknown_paths_and_methods_are_told_apart(emulator):
    assert emulator.refusal("GET", "/v2/nothing") == (404, "page-not-found")
    assert emulator.refusal("DELETE", "/v2/users/me") == (405, "method-not-allowed")


def test_actors_and_tasks_answer_under_every_name(emulator):
    actor = emulator.data("GET", "/v2/actors/demo~rows")
    task = emulator.data("GET", "/v2/actor-tasks/demo~rows-task")
    for path in (f"/v2/acts/{actor['id']}", "/v2/acts/~rows", "/v2/actors/~rows"):
        assert emulator.data("GET", path)["id"] == actor["id"]
    for path in (f"/v2/actor-tasks/{task['id']}", "/v2/actor-tasks/~rows-task"):
        assert emulator.data("GET", path) == task
    assert task["actId"] == actor["id"]


def test_accounts_do_not_see_each_others_runs(tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"accounts": {TOKEN: "demo", "other": "eve"}}))
    with started("--profile", str(profile)) as emulator:
        run = emulator.start(duration_secs=0)
        eve = {"headers": {"Authorization": "Bearer other"}}
        for path in (
            f"/v2/actor-runs/{run['id']}",
            f"/v2/datasets/{run['defaultDatasetId']}/items",
            f"/v2/key-value-stores/{run['defaultKeyValueStoreId']}/keys",
            "/v2/actor-tasks/demo~rows-task",
        ):
            assert emulator.refusal("GET", path, **eve) == (404, "record-not-found")
        assert emulator.data("GET", "/v2/actor-runs", **eve)["total"] == 0
        assert emulator.data("GET", "/v2/users/me", **eve)["username"] == "eve"


# Starting


def test_a_start_says_where_the_run_is(emulator):
    response = emulator.call(
        "POST", "/v2/acts/demo~rows/runs", json={"emulate": {"ready_secs": 60}}, headers={"User-Agent": "me/1 (k.1)"}
    )
    run = response.json()["data"]
    assert response.status_code == 201
    assert response.headers["Location"] == f"{emulator.url}/v2/actor-runs/{run['id']}"
    assert response.headers["X-RateLimit-Limit"] == "400"
    assert run["status"] == "READY"
    assert run["meta"] == {"origin": "API", "userAgent": "me/1 (k.1)"}


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_input_is_stored_plain(emulator, encoding, compress):
    content = json.dumps({"text": "x" * 5000, "emulate": {"duration_secs": 0}}).encode()
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    run = emulator.data("POST", "/v2/actors/demo~rows/runs", data=compress(content), headers=headers)
    stored = emulator.call("GET", f"/v2/actor-runs/{run['id']}/key-value-store/records/INPUT")
    assert (stored.content, stored.headers["Content-Type"]) == (content, "application/json")


@pytest.mark.parametrize(
    ("body", "headers", "refusal"),
    [
        (b"x" * 9_437_185, {}, (413, "request-too-large")),
        (gzip.compress(b"x" * 9_437_185, mtime=0), {"Content-Encoding": "gzip"}, (413, "request-too-large")),
        (b"no gzip", {"Content-Encoding": "gzip"}, (400, "invalid-input")),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], {"Content-Encoding": "gzip"}, (400, "invalid-input")),
        (b"x", {"Content-Encoding": "br"}, (415, "unsupported-content-encoding")),
    ],
)
def test_a_body_that_cannot_be_taken_starts_nothing(emulator, body, headers, refusal):
    before = emulator.data("GET", "/v2/actor-runs")["total"]
    assert emulator.refusal("POST", "/v2/actors/demo~rows/runs", data=body, headers=headers) == refusal
    assert emulator.data("GET", "/v2/actor-runs")["total"] == before


def test_a_body_of_exactly_the_limit_is_taken(emulator):
    run = emulator.data("POST", "/v2/actors/demo~rows/runs", data=b"x" * 9_437_184)
    assert run["stats"]["inputBodyLen"] == 9_437_184


def test_a_new_actor_and_task_can_be_put(emulator):
    fields = {"script": {"duration_secs": 0, "items": 4, "item_kind": "tiny"}}
    assert emulator.call("PUT", "/emulator/actors/ann~fresh", json=fields).status_code == 200
    task = {"actor": "ann~fresh", "input": {"a": 1, "b": 2}, "options": {"memory_mbytes": 128}}
    assert emulator.call("PUT", "/emulator/actor-tasks/demo~fresh-task", json=task).status_code == 200
    run = emulator.data("POST", "/v2/actor-tasks/demo~fresh-task/runs?waitForFinish=5", json={"b": 3})
    assert run["options"]["memoryMbytes"] == 128
    assert emulator.call("GET", f"/v2/actor-runs/{run['id']}/dataset/items").json() == [{"index": n} for n in range(4)]
    record = f"/v2/actor-runs/{run['id']}/key-value-store/records/INPUT"
    assert emulator.call("GET", record).json() == {"a": 1, "b": 3}
    assert emulator.refusal("PUT", "/emulator/actors/ann~x", json={"scirpt": {}}) == (400, "invalid-request")


# Waiting and lists


def test_waiting_ends_with_the_run_or_after_the_time_asked_for(emulator):
    run = emulator.start(wait=0, duration_secs=0.5)
    assert emulator.data("GET", f"/v2/actor-runs/{run['id']}?waitForFinish=999999")["status"] == "SUCCEEDED"
    run = emulator.start(wait=0, duration_secs=600)
    assert emulator.data("GET", f"/v2/actor-runs/{run['id']}?waitForFinish=0.1")["status"] == "RUNNING"


def test_an_abort_ends_the_waiting_of_others(emulator):
    run = emulator.start(wait=0, duration_secs=600, abort_secs=0.1)
    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(requests.get, **_get(emulator, f"/v2/actor-runs/{run['id']}?waitForFinish=30"))
        until(lambda: any("waitForFinish" in r["query"] for r in emulator.requests(path_prefix="/v2/actor-runs/")))
        emulator.data("POST", f"/v2/actor-runs/{run['id']}/abort")
        assert waited.result(timeout=60).json()["data"]["status"] == "ABORTED"


def test_a_runs_own_timeout_stops_it(emulator):
    start = "/v2/actors/demo~rows/runs?timeout=1&waitForFinish=10"
    run = emulator.data("POST", start, json={"emulate": {"duration_secs": 600, "abort_secs": 0, "items": 600}})
    assert (run["status"], run["options"]["timeoutSecs"]) == ("TIMED-OUT", 1)
    assert emulator.data("GET", f"/v2/datasets/{run['defaultDatasetId']}")["itemCount"] == 1


def test_lists_are_filtered_sorted_and_paged(emulator):
    emulator.call("PUT", "/emulator/actors/demo~listed", json={"script": {"duration_secs": 0}})
    path = "/v2/actors/demo~listed/runs"
    statuses = ["SUCCEEDED", "FAILED", "SUCCEEDED", "FAILED", "SUCCEEDED"]
    runs = []
    for status in statuses:
        runs.append(emulator.data("POST", path, json={"emulate": {"final_status": status}}))
        time.sleep(0.002)
    ids = [run["id"] for run in runs]

    def listed(query: str) -> list[str]:
        return [run["id"] for run in emulator.data("GET", f"{path}?{query}")["items"]]

    assert listed("") == ids
    assert listed("desc=1") == ids[::-1]
    assert listed("desc=true&offset=1&limit=2") == [ids[3], ids[2]]
    assert listed("status=FAILED") == [ids[1], ids[3]]
    assert listed("status=FAILED,SUCCEEDED") == ids
    assert listed(f"startedAfter={runs[1]['startedAt']}&startedBefore={runs[3]['startedAt']}") == ids[1:4]
    page = emulator.data("GET", f"{path}?limit=2&offset=4")
    assert [page[name] for name in ("total", "offset", "limit", "count", "desc")] == [5, 4, 2, 1, False]
    assert emulator.data("GET", f"{path}?limit=5000")["limit"] == 1000
    assert emulator.data("GET", "/v2/actor-runs?desc=1&limit=1")["items"][0]["id"] == ids[4]
    assert emulator.refusal("GET", f"{path}?status=DONE") == (400, "invalid-value")
    assert emulator.data("GET", f"{path}/last")["id"] == ids[4]
    assert emulator.data("GET", f"{path}/last?status=FAILED")["id"] == ids[3]
    assert emulator.refusal("GET", f"{path}/last?origin=WEB") == (404, "record-not-found")


def test_a_new_run_can_be_missing_from_lists_and_under_its_id(emulator):
    run = emulator.start(wait=0, duration_secs=0, list_lag_secs=600, get_lag_secs=600)
    assert emulator.refusal("GET", f"/v2/actor-runs/{run['id']}") == (404, "record-not-found")
    listed = emulator.data("GET", "/v2/actor-runs?desc=1")["items"]
    assert run["id"] not in [one["id"] for one in listed]


def test_a_run_and_its_storages_answer_under_every_path(emulator):
    emulator.call("PUT", "/emulator/actors/demo~once", json={"script": {"duration_secs": 0, "items": 3}})
    emulator.call("PUT", "/emulator/actor-tasks/demo~once-task", json={"actor": "demo~once"})
    run = emulator.data("POST", "/v2/actor-tasks/demo~once-task/runs", json={"a": 1})
    assert emulator.data("GET", f"/v2/acts/demo~once/runs/{run['id']}")["id"] == run["id"]
    assert emulator.refusal("GET", f"/v2/acts/demo~rows/runs/{run['id']}") == (404, "record-not-found")
    for path in (
        f"/v2/actor-runs/{run['id']}",
        "/v2/actors/demo~once/runs/last",
        "/v2/acts/~once/runs/last",
        "/v2/actor-tasks/demo~once-task/runs/last",
    ):
        assert emulator.data("GET", path)["id"] == run["id"]
        assert emulator.data("GET", f"{path}/dataset")["id"] == run["defaultDatasetId"]
        assert len(emulator.call("GET", f"{path}/dataset/items").json()) == 3
        assert emulator.data("GET", f"{path}/key-value-store")["id"] == run["defaultKeyValueStoreId"]
        assert [one["key"] for one in emulator.data("GET", f"{path}/key-value-store/keys")["items"]] == ["INPUT"]
        assert emulator.call("GET", f"{path}/key-value-store/records/INPUT").json() == {"a": 1}
        assert emulator.call("GET", f"{path}/log").text == emulator.call("GET", f"/v2/logs/{run['id']}").text
        assert emulator.data("POST", f"{path}/abort")["status"] == "SUCCEEDED"


def test_limits_count_what_is_running_now():
    with started() as emulator:
        emulator.data("POST", "/v2/actors/demo~rows/runs?memory=2048", json={"emulate": {"duration_secs": 600}})
        emulator.start(duration_secs=0, usage_usd=1.5)
        current = emulator.data("GET", "/v2/users/me/limits")["current"]
    assert (current["activeActorJobCount"], current["actorMemoryGbytes"]) == (1, 2.0)
    assert 1.5 <= current["monthlyUsageUsd"] < 1.6


# Items


def test_parallel_pages_hold_what_a_full_read_holds(emulator):
    run = emulator.start(duration_secs=0, items=30_000)
    path = f"/v2/datasets/{run['defaultDatasetId']}/items?format=jsonl"
    with ThreadPoolExecutor(4) as pool:
        offsets = range(0, 30_000, 4321)
        pages = list(pool.map(lambda n: requests.get(**_get(emulator, f"{path}&offset={n}&limit=4321")), offsets))
    content = b"".join(page.content for page in pages)
    expected = emulator.call("GET", f"/emulator/datasets/{run['defaultDatasetId']}/expected").json()
    digest = hashlib.sha256(content).hexdigest()
    assert expected == {"count": 30_000, "bytes": len(content), "sha256": digest}
    assert content.count(b"\n") == 30_000
    assert sum(int(page.headers["X-Apify-Pagination-Count"]) for page in pages) == 30_000
    part = emulator.call("GET", f"/emulator/datasets/{run['defaultDatasetId']}/expected?offset=4321&limit=4321").json()
    assert part["sha256"] == hashlib.sha256(pages[1].content).hexdigest()


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
@pytest.mark.parametrize(("format_", "type_"), [("json", "application/json"), ("jsonl", "application/jsonl")])
def test_items_come_in_both_formats_plain_and_compressed(emulator, format_, type_, accepted):
    run = emulator.start(duration_secs=0, items=1500)
    path = f"/v2/datasets/{run['defaultDatasetId']}/items?format={format_}&offset=10&limit=1200"
    response = emulator.call("GET", path, headers={"Accept-Encoding": accepted})
    assert response.headers.get("Content-Encoding", "identity") == accepted
    assert response.headers["Content-Type"].startswith(type_)
    lines = response.content.removesuffix(b"\n").split(b"\n")
    items = json.loads(response.content) if format_ == "json" else [json.loads(line) for line in lines]
    assert [item.get("index") for item in items] == [None if n == 996 else n for n in range(10, 1210)]
    head = emulator.call("HEAD", path, headers={"Accept-Encoding": accepted})
    assert head.content == b""
    pagination = {name: value for name, value in response.headers.items() if name.lower().startswith("x-apify-")}
    assert pagination == {name: value for name, value in head.headers.items() if name.lower().startswith("x-apify-")}
    assert pagination == {
        "x-apify-pagination-offset": "10",
        "x-apify-pagination-limit": "1200",
        "x-apify-pagination-count": "1200",
        "x-apify-pagination-total": "1500",
        "x-apify-pagination-desc": "false",
    }


def test_filters_act_after_the_window(emulator):
    run = emulator.start(duration_secs=0, items=1000)
    path = f"/v2/datasets/{run['defaultDatasetId']}/items"
    clean = emulator.call("GET", f"{path}?clean=1&offset=996&limit=2")
    assert [item["index"] for item in clean.json()] == [997]
    assert clean.headers["X-Apify-Pagination-Count"] == "2"
    assert emulator.call("GET", f"{path}?clean=1&offset=996&limit=1").json() == []
    newest = emulator.call("GET", f"{path}?desc=1&limit=3&fields=index&outputFields=n")
    assert newest.json() == [{"n": 999}, {"n": 998}, {"n": 997}]
    beyond = emulator.call("GET", f"{path}?offset=5000")
    assert (beyond.json(), beyond.headers["X-Apify-Pagination-Count"]) == ([], "0")
    assert beyond.headers["X-Apify-Pagination-Limit"] == "999999999999"
    assert emulator.call("GET", f"{path}?attachment=1").headers["Content-Disposition"].startswith("attachment")
    assert emulator.refusal("GET", f"{path}?view=x") == (400, "requested-dataset-view-does-not-exist")
    assert emulator.refusal("GET", f"{path}?format=parquet") == (400, "invalid-value")
    assert emulator.refusal("GET", f"{path}?fields=a&outputFields=b,c") == (400, "invalid-value")


@pytest.mark.parametrize(
    ("format_", "type_"),
    [
        ("csv", "text/csv"),
        ("html", "text/html"),
        ("xml", "application/xml"),
        ("rss", "application/rss+xml"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ],
)
def test_tables_and_markup_come_with_type_and_window_count(emulator, format_, type_):
    run = emulator.start(duration_secs=0, items=30)
    response = emulator.call("GET", f"/v2/datasets/{run['defaultDatasetId']}/items?format={format_}&offset=10&limit=5")
    assert response.headers["Content-Type"].split(";")[0] == type_
    assert response.headers["X-Apify-Pagination-Count"] == "5"


def test_view_changes_items_as_the_schema_says(emulator):
    run = emulator.start(duration_secs=0, items=3, views={"short": {"fields": ["index"]}})
    path = f"/v2/datasets/{run['defaultDatasetId']}/items"
    assert emulator.call("GET", f"{path}?view=short").json() == [{"index": 0}, {"index": 1}, {"index": 2}]


def test_counters_lag_and_items_do_not(emulator):
    run = emulator.start(duration_secs=0, items=10, counter_lag_secs=600, initial_total=3)
    dataset = f"/v2/datasets/{run['defaultDatasetId']}"
    items = emulator.call("GET", f"{dataset}/items")
    assert (len(items.json()), items.headers["X-Apify-Pagination-Total"]) == (10, "3")
    assert emulator.data("GET", dataset)["itemCount"] == 3


def test_a_running_dataset_shows_what_is_there_so_far(emulator):
    run = emulator.start(wait=0, duration_secs=600, item_rate=50, items=30_000)
    path = f"/v2/actor-runs/{run['id']}/dataset/items?fields=index"
    until(lambda: len(emulator.call("GET", path).json()) > 5)
    emulator.data("POST", f"/v2/actor-runs/{run['id']}/abort")
    count = len(emulator.call("GET", path).json())
    assert 5 < count < 30_000
    assert emulator.data("GET", f"/v2/datasets/{run['defaultDatasetId']}")["itemCount"] == count


# Records


def test_a_record_that_was_put_comes_back_as_it_was(emulator):
    run = emulator.start(duration_secs=0)
    path = f"/v2/key-value-stores/{run['defaultKeyValueStoreId']}/records/notes.txt"
    headers = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
    assert emulator.call("PUT", path, data=gzip.compress(b"hello"), headers=headers).status_code == 201
    for accepted in ("gzip", "identity"):
        response = emulator.call("GET", f"{path}?attachment=true", headers={"Accept-Encoding": accepted})
        assert (response.content, response.headers["Content-Type"]) == (b"hello", "text/plain")
        assert response.headers.get("Content-Encoding", "identity") == accepted
        assert "notes.txt" in response.headers["Content-Disposition"]
    assert emulator.call("HEAD", path).status_code == 200
    assert emulator.call("HEAD", f"{path}.missing").status_code == 404
    assert emulator.refusal("GET", f"{path}.missing") == (404, "record-not-found")
    keys = f"/v2/key-value-stores/{run['defaultKeyValueStoreId']}/keys"
    for limit in ("0", "1001"):
        assert emulator.refusal("GET", f"{keys}?limit={limit}") == (400, "invalid-value")


# The request log


def test_the_log_counts_requests_and_keeps_no_secret(emulator):
    emulator.call("GET", f"/v2/users/me?token={TOKEN}&x=1", headers={"User-Agent": "watcher/1"})
    emulator.call("GET", "/v2/actor-runs", headers={"Authorization": "Bearer stranger"})
    first, second = emulator.requests()
    assert [first[name] for name in ("method", "path", "query", "status", "user_agent", "token_ok")] == [
        "GET",
        "/v2/users/me",
        {"x": "1"},
        200,
        "watcher/1",
        True,
    ]
    assert first["bytes_out"] > 100
    assert first["at"] <= first["finished_at"] <= second["at"] <= time.time() + 1
    assert (second["n"], second["status"], second["token_ok"]) == (first["n"] + 1, 401, False)
    assert TOKEN not in json.dumps([first, second])
    assert [one["n"] for one in emulator.requests(method="GET", path_prefix="/v2/actor-runs")] == [second["n"]]
    assert emulator.requests(method="POST") == []


def test_a_start_that_is_cut_off_starts_nothing_and_is_logged():
    with started() as emulator:
        host, port = urlsplit(emulator.url).hostname, urlsplit(emulator.url).port
        path = "/v2/actors/demo~rows/runs"
        with socket.create_connection((host, port)) as caller:
            head = f"POST {path}?token={TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
            caller.sendall(head.encode() + b'{"emulate"')
            until(lambda: emulator.requests(path_prefix=path))
        until(lambda: emulator.requests(path_prefix=path)[0]["finished_at"])
        assert emulator.requests(path_prefix=path)[0]["status"] == CUT_OFF
        assert emulator.data("GET", "/v2/actor-runs")["total"] == 0
        emulator.process.send_signal(signal.SIGTERM)
        assert emulator.process.communicate(timeout=60) == ("", "")


# Faults


def test_a_status_fault_answers_in_the_platforms_place(emulator):
    before = emulator.data("GET", "/v2/actor-runs")["total"]
    emulator.fault("status", path_regex="/runs$", nth=1, status=503, type="query-timeout", headers={"Retry-After": "2"})
    emulator.fault("status", path_regex="/users/me$", nth=1, status=502, html="<h1>Bad Gateway</h1>")
    response = emulator.call("POST", "/v2/actors/demo~rows/runs")
    assert (response.status_code, response.json()["error"]["type"], response.headers["Retry-After"]) == (
        503,
        "query-timeout",
        "2",
    )
    response = emulator.call("GET", "/v2/users/me")
    assert (response.status_code, response.text) == (502, "<h1>Bad Gateway</h1>")
    assert response.headers["Content-Type"].startswith("text/html")
    assert emulator.call("GET", "/v2/users/me").status_code == 200
    assert emulator.data("GET", "/v2/actor-runs")["total"] == before


def test_a_late_status_fault_hides_the_run_that_was_made(emulator):
    before = emulator.data("GET", "/v2/actor-runs")["total"]
    emulator.fault("status_after", method="POST", path_regex="/runs$", nth=1, status=500)
    response = emulator.call("POST", "/v2/actors/demo~rows/runs")
    assert (response.status_code, response.json()["error"]["type"]) == (500, "internal-server-error")
    assert emulator.data("GET", "/v2/actor-runs")["total"] == before + 1


@pytest.mark.parametrize(("action", "runs_made"), [("reset_before", 0), ("reset_after", 1)])
@pytest.mark.parametrize(
    ("body", "seen"),
    # A client that still sends may miss the reset itself and see the end only.
    [(b"", "reset by peer"), (b"x" * 3_000_000, "reset by peer|closed connection without response")],
    ids=["no-body", "large-body"],
)
def test_a_reset_loses_the_reply_before_or_after_the_run_is_made(emulator, action, runs_made, body, seen):
    before = emulator.data("GET", "/v2/actor-runs")["total"]
    emulator.fault(action, method="POST", path_regex="/runs$", nth=1)
    with pytest.raises(requests.ConnectionError, match=seen):
        emulator.call("POST", "/v2/actors/demo~rows/runs", data=body)
    assert emulator.data("GET", "/v2/actor-runs")["total"] == before + runs_made
    assert emulator.requests(method="POST", path_prefix="/v2/")[-1]["status"] is None


def test_a_cut_body_is_short_and_the_connection_ends(emulator):
    run = emulator.start(duration_secs=0, items=5000)
    path = f"/v2/datasets/{run['defaultDatasetId']}/items?format=jsonl"
    emulator.fault("cut_body", path_regex="/items$", nth=1, after_bytes=200_000)
    with requests.get(**_get(emulator, path), stream=True) as response:
        received = []
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            received.extend(response.iter_content(1000))
    expected = emulator.call("GET", path).content
    assert expected.startswith(b"".join(received))
    assert emulator.requests(path_prefix="/v2/datasets/")[0]["bytes_out"] == 200_000


def test_a_stalled_body_stands_still_and_then_goes_on(emulator):
    run = emulator.start(duration_secs=0, items=5000)
    path = f"/v2/datasets/{run['defaultDatasetId']}/items?format=jsonl"
    emulator.fault("stall_body", path_regex="/items$", times=1, after_bytes=1000, secs=600)
    stalled = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=60)
    stalled.request("GET", path, headers=_auth())
    response = stalled.getresponse()
    assert len(response.read(1000)) == 1000
    stalled.sock.settimeout(1)
    with pytest.raises(TimeoutError):
        response.read(1)
    stalled.close()
    emulator.fault("stall_body", path_regex="/items$", times=1, after_bytes=1000, secs=0.05)
    assert emulator.call("GET", path).content == emulator.call("GET", path).content


def test_a_slow_wire_brings_the_whole_reply_late_and_bit_by_bit(emulator):
    run = emulator.start(duration_secs=0, items=200)
    path = f"/v2/datasets/{run['defaultDatasetId']}/items?format=jsonl"
    whole = emulator.call("GET", path).content
    rate = len(whole) * 2
    emulator.fault("slow_wire", path_regex="/items$", times=1, latency_secs=0.2, bytes_per_sec=rate)
    began = time.monotonic()
    response = requests.get(emulator.url + path, headers=_auth() | {"Accept-Encoding": "identity"}, timeout=60)
    assert response.content == whole
    assert time.monotonic() - began >= 0.65


def test_a_delayed_reply_comes_after_the_run_is_made(emulator):
    before = emulator.data("GET", "/v2/actor-runs")["total"]
    emulator.fault("delay", method="POST", path_regex="/runs$", times=1, secs=600)
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{emulator.url}/v2/actors/demo~rows/runs", headers=_auth(), timeout=1)
    until(lambda: emulator.data("GET", "/v2/actor-runs")["total"] == before + 1)


@pytest.mark.parametrize("fault", [{"action": "delay"}, {"action": "stall_body", "after_bytes": 1000}])
def test_what_a_fault_holds_back_comes_when_faults_are_ended(emulator, fault):
    run = emulator.start(duration_secs=0, items=5000)
    path = f"/v2/datasets/{run['defaultDatasetId']}/items?format=jsonl"
    whole = emulator.call("GET", path).content
    emulator.fault(path_regex="/items$", times=1, secs=600, **fault)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(emulator.call, "GET", path)
        while sum(each["finished_at"] is None for each in emulator.requests(path_prefix="/v2/datasets/")) != 1:
            time.sleep(0.01)
        emulator.call("DELETE", "/emulator/faults")
        assert held.result(60).content == whole


@pytest.mark.parametrize("final_status", ["SUCCEEDED", "FAILED"])
def test_a_run_ends_when_it_is_told_to(emulator, final_status):
    run = emulator.start(0, duration_secs=600, items=5000, final_status=final_status)
    assert emulator.call("POST", f"/emulator/runs/{run['id']}/finish").status_code == 204
    ended = emulator.data("GET", f"/v2/actor-runs/{run['id']}?waitForFinish=30")
    assert (ended["status"], ended["stats"]["runTimeSecs"] < 600) == (final_status, True)
    dataset = emulator.data("GET", f"/v2/datasets/{run['defaultDatasetId']}")
    assert dataset["itemCount"] == 5000
    assert emulator.call("POST", "/emulator/runs/nobodys/finish").status_code == 404


def test_a_fault_that_makes_no_sense_is_refused(emulator):
    assert emulator.refusal("POST", "/emulator/faults", json=[{"action": "explode"}]) == (400, "invalid-request")


# The process


def test_small_answers_are_not_held_back():
    with (
        open_listener("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_whatever_is_open(number):
    with started() as emulator:
        host, port = urlsplit(emulator.url).hostname, urlsplit(emulator.url).port
        run = emulator.start(wait=0, duration_secs=600)
        with socket.create_connection((host, port)) as waiting:
            request = f"GET /v2/actor-runs/{run['id']}?waitForFinish=60&token={TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n"
            waiting.sendall(request.encode())
            until(lambda: emulator.requests(path_prefix=f"/v2/actor-runs/{run['id']}"))
            emulator.process.send_signal(number)
            out, err = emulator.process.communicate(timeout=60)
        assert (emulator.process.returncode, out, err) == (0, "", "")


def test_it_ends_with_its_parents_pipe_if_asked_to():
    with started("--exit-with-stdin") as emulator:
        out, err = emulator.process.communicate(timeout=60)
        assert (emulator.process.returncode, out, err) == (0, "", "")


def test_the_ready_file_holds_the_address(tmp_path):
    ready = tmp_path / "ready.json"
    with started("--ready-file", str(ready)) as emulator:
        until(ready.exists)
        assert json.loads(ready.read_text()) == {"url": emulator.url, "pid": emulator.process.pid}
        assert list(tmp_path.iterdir()) == [ready]


@pytest.mark.parametrize("content", ["{", '{"acounts": {}}'])
def test_a_broken_profile_starts_nothing(tmp_path, content):
    profile = tmp_path / "profile.json"
    profile.write_text(content)
    command = [sys.executable, "-m", "actorline.emulator", "--port", "0", "--profile", str(profile)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "was not started" in ended.stderr


# The platform's own document


@needs_openapi
@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("Run", "/v2/actor-runs/{run}"),
        ("ListOfRuns", "/v2/actor-runs"),
        ("Actor", "/v2/actors/demo~rows"),
        ("Task", "/v2/actor-tasks/demo~rows-task"),
        ("Dataset", "/v2/actor-runs/{run}/dataset"),
        ("KeyValueStore", "/v2/actor-runs/{run}/key-value-store"),
        ("ListOfKeys", "/v2/actor-runs/{run}/key-value-store/keys"),
        ("UserPrivateInfo", "/v2/users/me"),
        ("AccountLimits", "/v2/users/me/limits"),
    ],
)
def test_responses_have_the_fields_the_platform_requires(emulator, schema, path):
    schemas = json.loads(OPENAPI.read_text())["components"]["schemas"]
    run = emulator.start(duration_secs=0)
    assert list(missing(emulator.data("GET", path.format(run=run["id"])), schemas[schema], schemas)) == []


def missing(value: Any, schema: dict[str, Any], schemas: dict[str, Any], at: str = "data") -> Iterator[str]:
    """The paths of required fields that a value lacks."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    for part in schema.get("allOf", []):
        yield from missing(value, part, schemas, at)
    if isinstance(value, dict):
        yield from (f"{at}.{name}" for name in schema.get("required", []) if name not in value)
        for name, inner in schema.get("properties", {}).items():
            if value.get(name) is not None:
                yield from missing(value[name], inner, schemas, f"{at}.{name}")
    elif isinstance(value, list):
        for one in value[:5]:
            yield from missing(one, schema.get("items", {}), schemas, f"{at}[]")


def until(condition: Any, secs: float = 60) -> None:
    deadline = time.monotonic() + secs
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def _auth() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


def _get(emulator: Emulator, path: str) -> dict[str, Any]:
    return {"url": emulator.url + path, "headers": _auth(), "timeout": 40}


def test_a_person_at_a_terminal_is_told_how_to_use_it():
    ours, its = os.openpty()
    command = [sys.executable, "-P", "-m", "actorline.emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=its, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said = "".join(process.stderr.readline() for _ in range(4))
        process.terminate()
    url = json.loads(os.read(ours, 4096))["url"]
    os.close(ours)
    os.close(its)
    assert f"export ACTORLINE_API_URL={url} APIFY_TOKEN={TOKEN}" in said
    assert "actorline run demo/rows" in said
    assert "apify/website-content-crawler" in said  # which the documents order
