"""The HTTP gateway to a real line: orders, results, timelines, rows."""

import concurrent.futures
import csv
import gzip
import io
import json
import time

import httpx
import pytest
from gateway_process import Gateway, running_gateway
from real_parts import wait_for

from actorline.jobs.job_result import JobResult


@pytest.fixture(scope="module")
def gateway(line):
    with running_gateway(line, ACTORLINE_QUOTAS__WAITS="200") as gateway:
        yield gateway


@pytest.fixture(scope="module")
def delivered(gateway: Gateway):
    """The result of a job with 2,500 rows in three parts and a record."""
    actor = gateway.line.emulator.actor(
        "gw-delivered", items=2500, duration_secs=0.2, records={"OUTPUT": {"body": {"a": 1}}}
    )
    return gateway.delivered("gw-delivered", actor=actor, collect={"page_items": 1000})


def events_of(response: httpx.Response) -> list[dict[str, str]]:
    """The events of a stream that has ended."""
    blocks = response.text.replace("\r\n", "\n").split("\n\n")
    fields = [[line.partition(": ") for line in block.splitlines() if not line.startswith(":")] for block in blocks]
    return [{name: value for name, _, value in block} for block in fields if block]


# -- orders


def test_a_new_order_is_accepted_and_says_where_it_is_seen(gateway):
    actor = gateway.line.emulator.actor("gw-new", items=3)
    response = gateway.order(key="gw-new", actor=actor)
    assert (response.status_code, response.headers["Location"]) == (202, "/v1/jobs/gw-new")
    assert JobResult.model_validate(response.json()).key == "gw-new"
    assert gateway.ended("gw-new")["items"] == 3


def test_an_accepted_order_is_stored_and_begins_at_once(gateway):
    """Upkeep begins what nobody has begun within ten seconds: a busy machine may come to that once."""
    line = gateway.line
    actor = line.emulator.actor("gw-at-once", duration_secs=0.2)

    def is_begun_by_the_order(key: str) -> bool:
        gateway.order(key=key, actor=actor)
        assert line.state(key) is not None
        job = wait_for(lambda: (job := line.ledger.load(key)).run.id and job, what="the run")
        return job.run.known_at - job.queued_at < 9

    assert any(is_begun_by_the_order(f"gw-at-once-{number}") for number in range(3))


def test_the_same_order_joins_the_job_and_pays_once(gateway):
    actor = gateway.line.emulator.actor("gw-twice", items=3)
    responses = [gateway.order(key="gw-twice", actor=actor) for _ in range(3)]
    assert [response.status_code for response in responses] == [202, 200, 200]
    assert {response.headers["Location"] for response in responses} == {"/v1/jobs/gw-twice"}
    gateway.ended("gw-twice")
    assert len(gateway.line.emulator.starts(actor)) == 1


def test_many_at_a_time_with_one_key_make_one_job(gateway):
    actor = gateway.line.emulator.actor("gw-race", items=3)
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        responses = list(threads.map(lambda _: gateway.order(key="gw-race", actor=actor).status_code, range(32)))
    assert sorted(responses) == [200] * 31 + [202]
    gateway.ended("gw-race")
    assert len(gateway.line.emulator.starts(actor)) == 1


def test_many_orders_at_a_time_each_get_their_response(gateway):
    """They are taken in groups, good and bad ones together."""
    actor = gateway.line.emulator.actor("gw-mixed")
    gateway.order(key="gw-mixed-taken", actor=actor)
    orders = {f"gw-mixed-{number}": {"actor": actor} for number in range(12)}
    orders |= {
        "gw-mixed-taken": {"actor": actor, "input": 1},
        "gw-mixed-bad": {"actor": 5},
        "no/slash": {"actor": actor},
    }
    with concurrent.futures.ThreadPoolExecutor(len(orders)) as threads:
        responses = dict(
            zip(orders, threads.map(lambda key: gateway.order(key=key, **orders[key]), orders), strict=True)
        )
    for number in range(12):
        response = responses[f"gw-mixed-{number}"]
        assert (response.status_code, response.json()["key"]) == (202, f"gw-mixed-{number}")
    statuses = [responses[key].status_code for key in ("gw-mixed-taken", "gw-mixed-bad", "no/slash")]
    assert statuses == [409, 422, 422]


def test_without_a_key_each_order_is_a_job_of_its_own(gateway):
    actor = gateway.line.emulator.actor("gw-keyless", items=3)
    first, second = (gateway.order(actor=actor).json()["key"] for _ in range(2))
    assert first != second
    assert {gateway.ended(key)["state"] for key in (first, second)} == {"DELIVERED"}


@pytest.mark.parametrize("header", ["gw-header", '"gw-header"'])
def test_the_key_may_be_plain_or_quoted_and_in_the_document(gateway, header):
    actor = gateway.line.emulator.actor("gw-header")
    response = gateway.order(key=header, actor=actor, labels={"a": "b"})
    assert (response.json()["key"], response.status_code in {200, 202}) == ("gw-header", True)


# -- looking


def test_a_look_with_wait_answers_at_the_jobs_end(gateway):
    actor = gateway.line.emulator.actor("gw-wait", items=3, duration_secs=2)
    gateway.order(key="gw-wait", actor=actor)
    assert gateway.ended("gw-wait")["state"] == "DELIVERED"
    assert gateway.line.ledger.now() - gateway.line.ledger.load("gw-wait").ended_at < 45  # not when the minute is over


def test_a_look_with_wait_answers_after_so_many_seconds(gateway):
    actor = gateway.line.emulator.actor("gw-wait-short", duration_secs=600)
    gateway.order(key="gw-wait-short", actor=actor)
    began = time.monotonic()
    response = gateway.http.get("/v1/jobs/gw-wait-short", params={"wait": 1})
    assert (response.status_code, response.json()["state"] in {"QUEUED", "STARTING", "RUNNING"}) == (200, True)
    assert 1 <= time.monotonic() - began < 50
    gateway.http.post("/v1/jobs/gw-wait-short/cancel")


def test_hundred_who_wait_hold_up_nobody(gateway):
    actor = gateway.line.emulator.actor("gw-waiters", duration_secs=600)
    gateway.order(key="gw-waiters", actor=actor)
    with concurrent.futures.ThreadPoolExecutor(100) as threads:
        waits = [threads.submit(gateway.ended, "gw-waiters") for _ in range(100)]
        began = time.monotonic()
        assert gateway.http.get("/v1/jobs/gw-waiters").status_code == 200
        assert time.monotonic() - began < 50
        gateway.http.post("/v1/jobs/gw-waiters/cancel")
        assert {wait.result()["state"] for wait in waits} == {"CANCELLED"}


def test_a_list_is_newest_first_and_takes_state_and_labels(gateway):
    actor = gateway.line.emulator.actor("gw-list")
    for number in range(4):
        gateway.order(key=f"gw-list-{number}", actor=actor, labels={"list": "yes", "odd": str(number % 2)})
    for number in range(4):
        gateway.ended(f"gw-list-{number}")
    listed = gateway.http.get("/v1/jobs", params={"label": "list:yes", "state": ["DELIVERED", "FAILED"]}).json()
    assert [job["key"] for job in listed["jobs"]] == [f"gw-list-{number}" for number in (3, 2, 1, 0)]
    odd = gateway.http.get("/v1/jobs", params={"label": ["list:yes", "odd=1"], "state": "delivered"}).json()
    assert [job["key"] for job in odd["jobs"]] == ["gw-list-3", "gw-list-1"]
    assert gateway.http.get("/v1/jobs", params={"label": "list:yes", "state": "RUNNING"}).json()["jobs"] == []


def test_pages_of_a_list_stay_while_jobs_are_added(gateway):
    actor = gateway.line.emulator.actor("gw-pages")
    for number in range(5):
        gateway.order(key=f"gw-pages-{number}", actor=actor, labels={"pages": "yes"})
    seen, cursor, params = [], None, {"label": "pages:yes", "limit": 2}
    for added in range(5, 9):
        page = gateway.http.get("/v1/jobs", params=params | ({"cursor": cursor} if cursor else {})).json()
        seen += [job["key"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        gateway.order(key=f"gw-pages-{added}", actor=actor, labels={"pages": "yes"})
        if cursor is None:
            break
    assert seen == [f"gw-pages-{number}" for number in (4, 3, 2, 1, 0)]


# -- cancel and retry


def test_cancel_stops_the_job_and_its_run(gateway):
    actor = gateway.line.emulator.actor("gw-cancel", duration_secs=600)
    gateway.order(key="gw-cancel", actor=actor)
    wait_for(lambda: gateway.line.emulator.runs_of(actor), what="the run")
    response = gateway.http.post("/v1/jobs/gw-cancel/cancel")
    assert (response.status_code, response.json()["key"]) == (202, "gw-cancel")
    assert gateway.ended("gw-cancel")["state"] == "CANCELLED"
    assert [run["status"] for run in gateway.line.emulator.runs_of(actor)] == ["ABORTED"]
    again = gateway.http.post("/v1/jobs/gw-cancel/cancel")
    assert (again.status_code, again.json()["state"]) == (200, "CANCELLED")


def test_retry_sets_an_ended_job_going_again(gateway):
    actor = gateway.line.emulator.actor("gw-retry", duration_secs=600)
    gateway.order(key="gw-retry", actor=actor)
    wait_for(lambda: gateway.line.emulator.runs_of(actor), what="the run")
    refused = gateway.http.post("/v1/jobs/gw-retry/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    gateway.http.post("/v1/jobs/gw-retry/cancel")
    gateway.ended("gw-retry")
    gateway.line.emulator.actor("gw-retry", items=3)
    response = gateway.http.post("/v1/jobs/gw-retry/retry")
    assert (response.status_code, response.headers["Location"]) == (202, "/v1/jobs/gw-retry")
    result = gateway.ended("gw-retry")
    assert (result["state"], result["attempt"], result["items"]) == ("DELIVERED", 2, 3)


# -- events


def test_events_follow_the_timeline_and_end_with_the_result(gateway):
    actor = gateway.line.emulator.actor("gw-events", items=3, duration_secs=600)
    gateway.order(key="gw-events", actor=actor)
    with gateway.http.stream("GET", "/v1/jobs/gw-events/events") as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        lines = response.iter_lines()
        first = next(lines)
        job = wait_for(lambda: (job := gateway.line.ledger.load("gw-events")).run.id and job, what="the run")
        assert not job.is_terminal  # it comes while the job goes on
        gateway.line.emulator.finish(job.run.id)
        rest = "\n".join(lines)
    events = events_of(httpx.Response(200, text=f"{first}\n{rest}"))
    assert [event["event"] for event in events[:-1]] == gateway.line.events("gw-events")[: len(events) - 1]
    assert events[0]["event"] == "queued"
    assert json.loads(events[0]["data"])["event"] == "queued"
    assert (events[-1]["event"], json.loads(events[-1]["data"])["state"]) == ("result", "DELIVERED")


def test_events_go_on_behind_the_last_one_that_was_received(gateway, delivered):
    events = events_of(gateway.http.get("/v1/jobs/gw-delivered/events"))
    ids = [event["id"] for event in events if "id" in event]
    resumed = events_of(gateway.http.get("/v1/jobs/gw-delivered/events", headers={"Last-Event-ID": ids[2]}))
    assert [event["id"] for event in resumed if "id" in event] == ids[3:]
    ended = gateway.http.get("/v1/jobs/gw-delivered/events", headers={"Last-Event-ID": ids[-1]})
    assert (ended.status_code, ended.content) == (204, b"")


@pytest.mark.parametrize("wrong", ["x", "1", "-1-0", "99999999999999999999-0", "1-0-0", "1-٣"])
def test_an_id_that_no_stream_gave_is_refused(gateway, delivered, wrong):
    response = gateway.http.get("/v1/jobs/gw-delivered/events", headers={"Last-Event-ID": wrong.encode()})
    assert (response.status_code, response.json()["code"]) == (422, "request-invalid")


# -- rows and records


def test_items_are_the_rows_as_the_platform_has_them(gateway, delivered):
    response = gateway.http.get("/v1/jobs/gw-delivered/items", headers={"Accept-Encoding": "identity"})
    assert response.content == gateway.line.emulator.item_lines(delivered["dataset_id"])
    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert response.headers["Actorline-Complete"] == "true"


def test_items_come_as_one_gzip_member_that_every_client_unpacks(gateway, delivered):
    with gateway.http.stream("GET", "/v1/jobs/gw-delivered/items", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.read() == gateway.line.emulator.item_lines(
            delivered["dataset_id"]
        )  # httpx reads one member only


def test_items_come_as_stored_if_a_gzip_file_is_asked_for(gateway, delivered):
    response = gateway.http.get("/v1/jobs/gw-delivered/items", headers={"Accept": "application/gzip"})
    assert response.headers["Content-Type"] == "application/gzip"
    assert len(response.content) == int(response.headers["Content-Length"]) == delivered["bytes"]
    assert gzip.decompress(response.content) == gateway.line.emulator.item_lines(delivered["dataset_id"])


@pytest.mark.parametrize(("offset", "limit"), [(0, 10), (990, 20), (1000, 1000), (2499, 5), (2500, 5), (100, None)])
def test_a_range_of_the_rows_is_read_across_parts(gateway, delivered, offset, limit):
    params = {"offset": offset} if limit is None else {"offset": offset, "limit": limit}
    response = gateway.http.get("/v1/jobs/gw-delivered/items", params=params)
    rows = gateway.line.emulator.item_lines(delivered["dataset_id"]).splitlines()
    assert response.content.splitlines() == rows[offset : None if limit is None else offset + limit]


def test_a_csv_delivery_comes_as_csv_its_ranges_as_json_lines(gateway):
    actor = gateway.line.emulator.actor("gw-csv", items=50)
    gateway.delivered("gw-csv", actor=actor, collect={"format": "csv"})
    whole = gateway.http.get("/v1/jobs/gw-csv/items")
    assert whole.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert len(list(csv.DictReader(io.StringIO(whole.text)))) == 50
    part = gateway.http.get("/v1/jobs/gw-csv/items", params={"offset": 48})
    assert [json.loads(line)["index"] for line in part.text.splitlines()] == ["48", "49"]


def test_a_range_of_a_format_without_rows_is_refused(gateway):
    actor = gateway.line.emulator.actor("gw-xml", items=5)
    gateway.delivered("gw-xml", actor=actor, collect={"format": "xml"})
    assert gateway.http.get("/v1/jobs/gw-xml/items").text.startswith("<?xml")
    response = gateway.http.get("/v1/jobs/gw-xml/items", params={"limit": 1})
    assert (response.status_code, response.json()["code"]) == (422, "request-invalid")


def test_rows_of_a_job_that_ended_early_are_marked_as_not_all(gateway):
    actor = gateway.line.emulator.actor("gw-partial", items=10, final_status="FAILED", duration_secs=0.2)
    assert gateway.delivered("gw-partial", actor=actor)["state"] == "PARTIAL"
    response = gateway.http.get("/v1/jobs/gw-partial/items")
    assert (response.status_code, response.headers["Actorline-Complete"]) == (200, "false")


def test_a_record_comes_as_the_platform_gave_it_and_runs_nowhere(gateway, delivered):
    response = gateway.http.get("/v1/jobs/gw-delivered/records/OUTPUT")
    assert response.json() == {"a": 1}
    assert response.headers["Content-Type"].startswith("application/json")
    assert (response.headers["Content-Security-Policy"], response.headers["Content-Disposition"]) == (
        "sandbox",
        "attachment",
    )
    missing = gateway.http.get("/v1/jobs/gw-delivered/records/NOTHING")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown-key")


def test_what_is_not_delivered_yet_is_no_row(gateway):
    actor = gateway.line.emulator.actor("gw-none-yet", duration_secs=600)
    gateway.order(key="gw-none-yet", actor=actor)
    response = gateway.http.get("/v1/jobs/gw-none-yet/items")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert "?wait=60 waits for its end" in response.json()["detail"]
    gateway.http.post("/v1/jobs/gw-none-yet/cancel")
    assert gateway.ended("gw-none-yet")["state"] == "CANCELLED"
    ended = gateway.http.get("/v1/jobs/gw-none-yet/items")
    assert (ended.status_code, "wait" in ended.json()["detail"]) == (409, False)
    assert "GET /v1/jobs/gw-none-yet says why" in ended.json()["detail"]


def test_a_delivery_that_is_damaged_is_told_before_the_first_row(gateway):
    actor = gateway.line.emulator.actor("gw-damaged", items=5)
    result = gateway.delivered("gw-damaged", actor=actor)
    part = httpx.URL(result["sink"]).path + "part-00000.jsonl.gz"
    with open(part, "ab") as file:  # noqa: PTH123
        file.write(b"x")
    response = gateway.http.get("/v1/jobs/gw-damaged/items")
    assert (response.status_code, response.json()["code"]) == (502, "sink-failed")
    assert "the manifest says" in response.json()["detail"]


# -- health


def test_health_and_readiness(gateway):
    assert gateway.http.get("/healthz").json() == {"status": "ok"}
    assert gateway.http.get("/readyz").json() == {"status": "ok"}


# -- HEAD

HEADERS_OF_ONE_RESPONSE = {"date", "x-request-id"}


@pytest.mark.parametrize(
    "path",
    [
        "/", "/healthz", "/readyz", "/openapi.json", "/v1/jobs/gw-delivered", "/v1/jobs/gw-delivered/items",
        "/v1/jobs/gw-delivered/items?limit=5", "/v1/jobs/gw-delivered/records/OUTPUT", "/v1/jobs/gw-nobodys/items",
        "/v1/jobs?limit=0", "/nowhere", "/v1/jobs/gw-delivered/cancel",
    ],
)  # fmt: skip
def test_head_is_get_without_a_body(gateway, delivered, path):
    del delivered
    got, head = gateway.http.get(path), gateway.http.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    own = HEADERS_OF_ONE_RESPONSE | ({"content-length"} if path == "/" else set())  # the page says how long ago
    headers = [{k: v for k, v in each.headers.items() if k not in own} for each in (head, got)]
    assert headers[0] == headers[1]


def test_head_of_a_stream_keeps_no_place(gateway):
    """Its job goes on, so that only the response's end can free it."""
    actor = gateway.line.emulator.actor("gw-head", items=1, duration_secs=600)
    gateway.order(key="gw-head", actor=actor)
    head = gateway.http.head("/v1/jobs/gw-head/events")
    assert (head.status_code, head.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    wait_for(lambda: 'open{kind="streams"} 0.0' in gateway.http.get("/metrics").text, what="a free place")
    assert gateway.http.post("/v1/jobs/gw-head/cancel").status_code == 202
