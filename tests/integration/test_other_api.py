"""The same rows from another implementation of the API: nothing depends on our emulator's habits.

All orders are placed at once, each in an account of its own whose platform has habits of its own; each test asks for
one of them, and for the violations that its platform saw.
"""

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests
from other_api import OtherApi
from other_api_account import OUTPUT, Account, Habits, Trouble, cleaned
from other_api_formats import cell_of
from other_api_rules import STARTS
from real_parts import Line, delivery_of, reason_of, running_line, wait_for

import actorline

pytestmark = pytest.mark.thorough

OPENAPI = Path(__file__).parents[3] / "shared" / "apify-openapi" / "openapi.json"
ACTORLINE = Path(sys.executable).with_name("actorline")
INPUT = {"startUrls": [{"url": "https://example.com/ü?a=1&b=2"}], "zeta": 1.0, "alpha": [None, 2**60, "\u2028😀"]}
ONCE = {
    "rate-seconds": Trouble(429, retry_after="secs", done=False),
    "rate-date": Trouble(429, retry_after="date", done=False),
    "error-500": Trouble(500, done=False),
    "error-503": Trouble(503, html=True, done=False),
    "early": Trouble(425, done=False),
    "json-200": Trouble(200, done=False),
    "html-200": Trouble(200, html=True, done=False),
    "lost": Trouble(cut="lost"),
    "reset": Trouble(cut="reset"),
    "short": Trouble(cut="short"),
}
LOST = {"start": [Trouble(cut="lost")]}


def always(name: str, *endpoints: str) -> dict[str, list[Trouble]]:
    """Trouble on the first request to each endpoint."""
    return {endpoint: [ONCE[name]] for endpoint in endpoints}


PAGES = {"collect": {"page_items": 70}}
READS = ("run", "dataset", "items", "record")

# Habits with which a job is delivered after one start; some with an order of their own.
ROWS: dict[str, Habits | tuple[Habits, dict[str, Any]]] = {
    "plain": Habits(),
    "no_last_newline": (Habits(last_newline=False), PAGES),
    "ndjson": Habits(content_type="application/x-ndjson"),
    "jsonl_charset": Habits(content_type="application/jsonl; charset=utf-8"),
    "never_gzip": (Habits(compression="never", last_newline=False), PAGES),
    "never_gzip_chunked": (Habits(compression="never", framing="chunked"), PAGES),
    "gzip_chunked": (Habits(framing="chunked"), PAGES),
    "ended_by_close": (Habits(framing="close"), PAGES),
    "closes_each": (Habits(closes=True), PAGES),
    "lowercase": Habits(lowercase=True),
    "capped_answers": Habits(items=730, items_per_response=100),
    "capped_pages": (Habits(items=730, items_per_response=100), {"collect": {"page_items": 250}}),
    "capped_and_unnamed": (Habits(items=730, items_per_response=100, totals=[(30, 0)], last_newline=False), PAGES),
    "capped_and_limited": (Habits(items=730, items_per_response=100), {"collect": {"limit": 730, "page_items": 400}}),
    "totals_lag": (Habits(totals=[(1, 0), (2, 90)]), PAGES),
    "total_stays_zero": (Habits(totals=[(60, 0)]), PAGES),
    "late_items": (Habits(late_items_secs=1), PAGES),
    "late_items_one_page": Habits(late_items_secs=1),
    "no_items": Habits(items=0),
    "odd_runs": Habits(odd_runs=True),
    "ready_for_long": Habits(statuses=[("READY", 5), ("RUNNING", 0.2)]),
    "unknown_status": Habits(statuses=[("READY", 0.5), ("MIGRATING", 2.5), ("RUNNING", 0.5)]),
    "ended_at_once": Habits(statuses=[]),
    "seconds": Habits(time_format="seconds"),
    "utc_offset": Habits(time_format="offset"),
    "other_offset": Habits(time_format="elsewhere"),
    "run_hidden": Habits(run_hidden_secs=2),
    "dataset_without_stats": Habits(dataset_stats="none"),
    "dataset_stats_null": Habits(dataset_stats="null"),
    "output_on_other_port": Habits(output_elsewhere="127.0.0.1"),
    "output_on_other_host": Habits(output_elsewhere="localhost"),
    "rate_seconds": Habits(troubles=always("rate-seconds", *READS)),
    "rate_date": Habits(troubles=always("rate-date", *READS)),
    "error_500": Habits(troubles=always("error-500", *READS)),
    "error_503": Habits(troubles=always("error-503", *READS)),
    "html_200": Habits(troubles=always("html-200", "run", "dataset", "items")),
    "error_425": (Habits(troubles=always("early", *READS)), PAGES),
    "json_200": (Habits(troubles=always("json-200", "run", "dataset", "items")), PAGES),
    "counter_ahead": (Habits(totals=[(5, 305)]), PAGES),
    "lost_answers": Habits(troubles=always("lost", *READS)),
    "items_reset": Habits(troubles=always("reset", "items")),
    "items_short": Habits(troubles=always("short", "items")),
    "items_short_plain": Habits(compression="never", troubles=always("short", "items")),
    "items_reset_chunked": (Habits(framing="chunked", troubles=always("reset", "items")), PAGES),
    "record_short": Habits(troubles=always("short", "record")),
}  # fmt: skip

# The run was made, and the response to its start was bad: it is found in the list, whatever that looks like.
ADOPTED: dict[str, Habits] = {
    "reply_lost": Habits(troubles=LOST),
    "reply_cut": Habits(troubles={"start": [Trouble(cut="short")]}),
    "reply_late": Habits(troubles={"start": [Trouble(delay_secs=61)]}),
    "made_and_502": Habits(troubles={"start": [Trouble(502, html=True)]}),
    "made_and_html_201": Habits(troubles={"start": [Trouble(201, html=True)]}),
    "made_and_303": Habits(troubles={"start": [Trouble(303)]}),
    "made_and_425": Habits(troubles={"start": [Trouble(425)]}),
    "made_and_503": Habits(troubles={"start": [Trouble(503)]}),
    "made_and_408": Habits(troubles={"start": [Trouble(408)]}),
    "listed_late": Habits(list_hidden_secs=1.5, troubles=LOST),
    "listed_late_and_hidden": Habits(list_hidden_secs=1.5, run_hidden_secs=2, list_meta="null", troubles=LOST),
    "list_of_five": Habits(list_page=5, foreign_runs=12, troubles=LOST),
    "list_of_five_and_says_1000": Habits(list_page=5, list_limit_echoed=True, foreign_runs=12, troubles=LOST),
    "list_of_seconds": Habits(list_page=5, foreign_runs=12, time_format="seconds", troubles=LOST),
    "list_without_agent": Habits(list_meta="origin", foreign_runs=6, list_page=5, troubles=LOST),
    "list_agent_null": Habits(list_meta="null", foreign_runs=6, troubles=LOST),
    "list_without_meta": Habits(list_meta="none", foreign_runs=6, troubles=LOST),
    "list_odd": Habits(odd_runs=True, foreign_runs=3, troubles=LOST),
    "list_rate": Habits(troubles=LOST | always("rate-seconds", "runs")),
    "list_html": Habits(troubles=LOST | always("html-200", "runs")),
    "list_500": Habits(list_meta="origin", troubles=LOST | always("error-500", "runs", "run")),
}

# No run was made at first: the start is sent a second time, and makes the only one.
SENT_AGAIN: dict[str, Habits] = {
    "never_made_502": Habits(troubles={"start": [Trouble(502, html=True, done=False)]}),
    "never_made_lost": Habits(troubles={"start": [Trouble(cut="lost", done=False)]}),
    "start_rate_seconds": Habits(troubles=always("rate-seconds", "start")),
    "start_rate_date": Habits(troubles=always("rate-date", "start")),
}

OTHERS: dict[str, Habits] = {
    "full": Habits(items=4000),
    "task": Habits(),
    "cleaned": Habits(items=730, items_per_response=100),
    "csv": Habits(items=730, totals=[(1, 90)]),
    "csv_capped": Habits(items=730, items_per_response=100, last_newline=False, framing="chunked", compression="never"),
    "csv_without_columns": Habits(items=10, tables_need_columns=True),
    "csv_without_items": Habits(items=0, tables_need_columns=True),
    "json_capped": Habits(items=730, items_per_response=100, last_newline=False),
    "xml": Habits(items=730, totals=[(60, 0)], troubles=always("short", "items")),
    "counter_stays_ahead": Habits(totals=[(3_600, 305)]),
    "cost_hidden": Habits(odd_runs=True),
    "vanishing": Habits(vanishes_after=1),
    "run_gone": Habits(statuses=[("RUNNING", 600)], run_gone_after_secs=4),
    "aborted": Habits(
        statuses=[("RUNNING", 600)], aborting_secs=2, troubles={"abort": [Trouble(500, done=False)] * 2}
    ),
    "aborted_rate": Habits(statuses=[("RUNNING", 600)], troubles=always("rate-seconds", "abort")),
    "cli_404": Habits(troubles={"actor": [Trouble(404)] * 9}),
    "cli_501": Habits(troubles={"actor": [Trouble(501)] * 9}),
}  # fmt: skip


@dataclass
class Placed:
    """An order, and the platform that it meets."""

    account: Account
    pending: Any

    def deliver(self) -> dict[str, Any]:
        return self.pending.get(timeout=500)  # ninety jobs are placed at once


@pytest.fixture(scope="module")
def api() -> Iterator[OtherApi]:
    rows = {name: case[0] if isinstance(case, tuple) else case for name, case in ROWS.items()}
    with OtherApi({**rows, **ADOPTED, **SENT_AGAIN, **OTHERS}).running() as api:
        yield api


@pytest.fixture(scope="module")
def other_line(valkey: str, api: OtherApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    accounts = {f"accounts__{name}": account.token for name, account in api.accounts.items()}
    # a start that is lost is searched for when lists show it, also if the platform takes seconds to note the run
    with running_line(
        valkey, api, tmp_path_factory.mktemp("other"), "other", start_settle_secs="10", **accounts
    ) as line:
        yield line


@pytest.fixture(scope="module")
def placed(other_line: Line, api: OtherApi) -> dict[str, Placed]:
    documents = {name: case[1] for name, case in ROWS.items() if isinstance(case, tuple)} | {
        "full": {
            "options": {
                "memory_mbytes": 2048,
                "timeout_secs": 77,
                "build": "beta",
                "max_items": 9,
                "max_total_charge_usd": 1.5,
                "restart_on_error": True,
            },
            "collect": {"page_items": 500},
        },
        "task": {"actor": None, "actor_task": api.accounts["task"].actor},
        "cleaned": {"collect": {"clean": True, "page_items": 250}},
        "csv": {"collect": {"format": "csv", "page_items": 3, "limit": 50}, "sink": {"single_file": True}},
        "csv_capped": {"collect": {"format": "csv", "page_items": 250, "fields": ["value", "index"]}},
        "csv_without_columns": {"collect": {"format": "csv", "page_items": 1, "clean": True}},
        "csv_without_items": {"collect": {"format": "csv"}},
        "json_capped": {"collect": {"format": "json", "page_items": 250}, "sink": {"single_file": True}},
        "xml": {"collect": {"format": "xml", "xml_root": "rows", "xml_row": "row"}},
        "vanishing": {"collect": {"page_items": 100}},
    }
    orders = {}
    # the one that takes a minute goes first
    for name in sorted(api.accounts, key=lambda name: name != "reply_late"):
        if name.startswith("cli_"):
            continue
        account = api.accounts[name]
        order = {"key": name, "actor": account.actor, "account": name, "input": INPUT, "poll_interval_secs": 1}
        orders[name] = Placed(account, other_line.submit(order | documents.get(name, {})))
    return orders


@pytest.fixture(autouse=True)
def _assert_no_stranger(api: OtherApi) -> Iterator[None]:
    yield
    assert api.violations == []
    assert [headers for headers in api.elsewhere if "authorization" in headers] == []


def assert_every_row_once(result: dict[str, Any], account: Account) -> None:
    assert (result["state"], result["reason"]) == ("DELIVERED", None)
    (run,) = account.runs
    assert result["run_id"] == run.id
    delivery = delivery_of(result)
    assert delivery.lines == b"".join(line + b"\n" for line in account.lines)
    assert (result["items"], delivery.manifest["complete"]) == (len(account.lines), True)
    assert (delivery.folder / "records" / "OUTPUT").read_bytes() == OUTPUT
    assert account.violations == []


@pytest.mark.parametrize("name", ROWS)
def test_rows_are_the_same_whatever_the_platforms_habits_are(placed, name):
    assert_every_row_once(placed[name].deliver(), placed[name].account)
    assert len(placed[name].account.requests_to("start")) == 1


@pytest.mark.parametrize("name", SENT_AGAIN)
def test_start_that_made_no_run_is_sent_again(placed, name):
    result = placed[name].deliver()
    assert_every_row_once(result, placed[name].account)
    assert result["adopted"] is False
    assert len(placed[name].account.requests_to("start")) == 2


@pytest.mark.parametrize("name", ADOPTED)
def test_run_whose_start_was_answered_badly_is_found_in_any_list(placed, name):
    result = placed[name].deliver()
    assert_every_row_once(result, placed[name].account)
    assert result["adopted"] is True
    assert len(placed[name].account.requests_to("start")) == 1
    assert placed[name].account.requests_to("abort") == []


def test_options_and_input_arrive_as_they_were_ordered(placed):
    account = placed["full"].account
    assert_every_row_once(placed["full"].deliver(), account)
    (start,) = account.requests_to("start")
    assert start.query == {
        "memory": "2048", "timeout": "77", "build": "beta", "maxItems": "9", "maxTotalChargeUsd": "1.5",
        "restartOnError": "true",
    }  # fmt: skip
    assert start.body == json.dumps(INPUT, ensure_ascii=False, separators=(",", ":")).encode()
    assert start.headers["content-type"] == "application/json"
    assert re.fullmatch(
        rf"actorline/{re.escape(actorline.__version__)} \([\w-]+/[0-9a-f]{{16}}\.1\)", start.headers["user-agent"]
    )


def test_full_job_asks_for_each_page_once(placed):
    placed["full"].deliver()
    windows = [(int(r.query["offset"]), int(r.query["limit"])) for r in placed["full"].account.requests_to("items")]
    pages = [(500 * number, 500) for number in range(8)]
    assert sorted(windows) == [*pages, (4000, 1)]  # the last one finds nothing behind the rows


def test_actor_task_is_started_as_one(placed):
    account = placed["task"].account
    assert_every_row_once(placed["task"].deliver(), account)
    (start,) = account.requests_to(*STARTS)
    assert (start.endpoint, json.loads(start.body)) == ("start_task", INPUT)


def test_filtered_rows_of_short_pages_are_all_there(placed):
    account = placed["cleaned"].account
    result = placed["cleaned"].deliver()
    assert (result["state"], result["scanned"]) == ("DELIVERED", 730)
    assert delivery_of(result).lines == b"".join(line + b"\n" for line in cleaned(account.lines))
    assert account.violations == []


@pytest.mark.parametrize(("name", "rows"), [("csv", 50), ("csv_capped", 730)])
def test_csv_of_another_platform_has_cells_under_their_columns(placed, name, rows):
    account = placed[name].account
    delivery = delivery_of(placed[name].deliver())
    columns = ["index", "value"] if name == "csv_capped" else ["#hidden", "index", "value"]
    items = [json.loads(line) for line in account.lines[:rows]]
    read = list(csv.DictReader(io.StringIO(delivery.lines.decode("utf-8-sig"), newline=""), strict=True))
    assert sorted(read[0]) == columns
    assert read == [{name: cell_of(item.get(name)) for name in columns} for item in items]
    assert account.violations == []


def test_csv_where_no_row_has_a_column_is_delivered(placed):
    result, nothing = (placed[name].deliver() for name in ("csv_without_columns", "csv_without_items"))
    assert (result["state"], result["scanned"], result["items"]) == ("DELIVERED", 10, 9)  # the eighth item is empty
    assert len(list(csv.DictReader(io.StringIO(delivery_of(result).lines.decode("utf-8-sig"), newline="")))) == 9
    assert (nothing["state"], nothing["items"], delivery_of(nothing).manifest["parts"]) == ("DELIVERED", 0, [])
    assert [placed[name].account.violations for name in ("csv_without_columns", "csv_without_items")] == [[], []]


def test_json_of_short_pages_is_one_array(placed):
    account = placed["json_capped"].account
    delivery = delivery_of(placed["json_capped"].deliver())
    assert json.loads(delivery.lines) == [json.loads(line) for line in account.lines]


def test_xml_of_a_platform_whose_counters_say_nothing_is_whole(placed):
    account = placed["xml"].account
    result = placed["xml"].deliver()
    rows = ET.fromstring(delivery_of(result).lines)
    assert (rows.tag, len(rows), result["items"]) == ("rows", 730, 730)
    assert account.violations == []


def test_hidden_cost_is_no_cost_of_ours(placed):
    result = placed["cost_hidden"].deliver()
    assert_every_row_once(result, placed["cost_hidden"].account)
    assert result["cost_usd"] is None


def test_counter_that_stays_ahead_of_the_rows_costs_none_of_them(placed):
    account = placed["counter_stays_ahead"].account
    result = placed["counter_stays_ahead"].deliver()
    assert (result["state"], result["reason"]["code"], result["items"]) == ("PARTIAL", "page-unreadable", 300)
    assert "the platform counts 305 items but returned 300" in result["reason"]["message"]
    assert delivery_of(result).lines == b"".join(line + b"\n" for line in account.lines)
    assert account.violations == []


def test_rows_of_a_run_that_vanishes_are_delivered(placed):
    account = placed["run_gone"].account
    result = placed["run_gone"].deliver()
    assert (result["state"], result["reason"]["code"], result["items"]) == ("PARTIAL", "run-vanished", 150)
    assert "doesn't know the run any more" in result["reason"]["message"]
    assert delivery_of(result).lines == b"".join(line + b"\n" for line in account.lines[:150])  # those stored by then
    assert (len(account.runs), account.violations) == (1, [])


def test_dataset_that_vanishes_leaves_a_partial_delivery(placed):
    account = placed["vanishing"].account
    result = placed["vanishing"].deliver()
    assert (result["state"], result["reason"]["code"]) == ("PARTIAL", "dataset-vanished")
    assert result["items"] == 100
    (part,) = delivery_of(result).manifest["parts"]
    first = account.lines[part["offset"] : part["offset"] + 100]
    assert delivery_of(result).lines == b"".join(line + b"\n" for line in first)
    assert (len(account.runs), account.violations) == (1, [])


@pytest.mark.parametrize("name", ["aborted", "aborted_rate"])
def test_abort_is_repeated_until_the_platform_says_aborted(other_line, placed, name):
    account = placed[name].account
    wait_for(lambda: account.runs, what="the run")
    other_line.cancel(name)
    with pytest.raises(Exception) as raised:  # noqa: PT011
        placed[name].deliver()
    assert (type(raised.value).__name__, reason_of(raised.value)["code"]) == ("JobCancelled", "cancelled")
    result = json.loads(raised.value.args[0])
    (run,) = account.runs
    assert (result["run_status"], result["run_id"]) == ("ABORTED", run.id)
    assert run.aborted is not None
    assert account.violations == []


@pytest.mark.parametrize("name", ["cli_404", "cli_501"])
def test_command_line_needs_no_look_at_the_actor(api, tmp_path, name):
    account = api.accounts[name]
    order = {"actor": account.actor, "input": INPUT, "poll_interval_secs": 1, "key": name}
    ended = subprocess.run(
        [sys.executable, "-P", ACTORLINE, "run", "--document", "-", "--json"],
        input=json.dumps(order),
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "APIFY_TOKEN": account.token,
            "ACTORLINE_API_URL": api.url,
            "ACTORLINE_HOME": str(tmp_path / "home"),
            "ACTORLINE_DATASET_LAG_SECS": "0.5",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert_every_row_once(json.loads(ended.stdout.splitlines()[-1]), account)
    assert len(account.requests_to("actor")) == 2  # by the command, and for the memory that the run needs
    assert account.token not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/v2/actor-runs?limit=9&nonsense=1", {}),
        ("GET", "/v2/actor-runs?limit=9&limit=9", {}),
        ("GET", "/v2/actor-runs?startedAfter=yesterday", {}),
        ("GET", "/v2/actor-runs?token=apify_api_x", {}),
        ("PUT", "/v2/actor-runs", {}),
        ("GET", "/v2/acts/other~strict", {}),
        ("GET", "/v2/actor-runs", {"headers": {"X-Novelty": "1"}}),
        ("GET", "/v2/actor-runs", {"headers": {"Accept": None}}),
        ("GET", "/v2/actor-runs", {"json": {}}),
        ("GET", "/v2/actor-runs", {"headers": {"Authorization": None}}),
        ("GET", "/v2/actor-runs", {"headers": {"Authorization": "Bearer apify_api_guessed"}}),
        ("POST", "/v2/actors/other~strict/runs?memory=1000", {"json": {}}),
        ("POST", "/v2/actors/other~strict/runs", {"json": [1]}),
        ("POST", "/v2/actors/other~strict/runs", {"data": "{}", "headers": {"Content-Type": "text/plain"}}),
    ],
)
def test_other_api_is_strict(method, path, more):
    with OtherApi({"strict": Habits()}).running() as api:
        account = api.accounts["strict"]
        good = {"Authorization": f"Bearer {account.token}"}
        requests.get(f"{api.url}/v2/actor-runs", headers=good, timeout=60)
        assert (api.violations, account.violations) == ([], [])
        requests.request(method, api.url + path, **{**more, "headers": good | more.get("headers", {})}, timeout=60)
        assert api.violations + account.violations != []


def test_other_api_notes_a_second_start():
    with OtherApi({"strict": Habits()}).running() as api:
        account = api.accounts["strict"]
        for _ in range(2):
            headers = {"Authorization": f"Bearer {account.token}"}
            requests.post(f"{api.url}/v2/actors/other~strict/runs", json={}, headers=headers, timeout=60)
        assert account.violations == ["a second run was started"]


@pytest.mark.skipif(not OPENAPI.exists(), reason="the platform's document is not beside the repo")
def test_every_request_is_in_the_platforms_document(placed, api):
    placed["full"].deliver()
    described = OpenApi(json.loads(OPENAPI.read_text()))
    asked = [request for account in api.accounts.values() for request in account.requests]
    assert {"start", "run", "dataset", "items", "record", "runs"} <= {request.endpoint for request in asked}
    wrong = [
        (request.method, request.path, fault)
        for request in asked
        for fault in described.faults(request.method, request.bare_path, request.query, request.headers, request.body)
    ]
    assert wrong == []


class OpenApi:
    """Holds requests against an OpenAPI document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.templates = {
            re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))): item for path, item in document["paths"].items()
        }

    def faults(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> Iterator[str]:
        item = next((item for template, item in self.templates.items() if template.fullmatch(path)), {})
        operation = item.get(method.lower())
        if operation is None:
            yield "is not described"
            return
        parameters = [self._resolved(one) for one in (*item.get("parameters", []), *operation.get("parameters", []))]
        known = {one["name"]: self._resolved(one["schema"]) for one in parameters if one["in"] == "query"}
        needed = {one["name"] for one in parameters if one["in"] == "query" and one.get("required")}
        yield from (f"lacks {name}" for name in needed - set(query))
        for name, value in query.items():
            if name not in known or not self._fits(value, known[name]):
                yield f"parameter {name}={value}"
        content = self._resolved(operation.get("requestBody", {})).get("content")
        if content is None:
            if body:
                yield "has a body"
        elif (schema := content.get(headers.get("content-type", ""), {}).get("schema")) is None:
            yield "content type"
        elif schema.get("type") == "object" and not isinstance(json.loads(body), dict):
            yield "the body is no object"

    def _resolved(self, part: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in part:
            names, part = part["$ref"].removeprefix("#/").split("/"), self.document
            for name in names:
                part = part[name]
        return part

    def _fits(self, value: str, schema: dict[str, Any]) -> bool:
        """A value in a query against a simple schema; written as `docs/platform-facts.md#query-parameters` says."""
        pattern = {"number": r"-?\d+(\.\d+)?", "integer": r"-?\d+", "boolean": "true|false|1|0"}.get(schema["type"])
        number_fits = "minimum" not in schema or schema["minimum"] <= float(value) <= schema["maximum"]
        return (
            (pattern is None or bool(re.fullmatch(pattern, value)))
            and number_fits
            and ("enum" not in schema or value in schema["enum"])
        )
