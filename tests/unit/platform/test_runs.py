import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
import requests
import responses
from pydantic import SecretStr
from tiny_server import drip, tiny_server

from actorline.outbound import timed_response
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformUnavailable
from actorline.platform.runs import NAMELESS, Run, RunSummary, abort_run, get_log_tail, get_run, list_runs

API = "https://api.example.test/v2"

T0 = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)


def at(ms: int) -> datetime:
    return T0 + timedelta(milliseconds=ms)


def iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_of(run_id: str, ms: int = 0, status: str = "RUNNING", **more: Any) -> dict[str, Any]:
    return {
        "id": run_id,
        "actId": "actor1",
        "status": status,
        "startedAt": iso(at(ms)),
        "finishedAt": None,
        "buildId": "build1",
        "meta": {"origin": "API", "userAgent": "actorline/1 (i/h.1)"},
        "usageTotalUsd": 0.5,
        "defaultKeyValueStoreId": "kvs1",
        "defaultDatasetId": "ds1",
        "defaultRequestQueueId": "rq1",
        **more,
    }


class RunsApi:
    """`GET /v2/actor-runs` over a list that `between` may change before each response but the first."""

    def __init__(self, api: responses.RequestsMock, runs: list[dict[str, Any]], page_max: int) -> None:
        self.runs = runs
        self.page_max = page_max
        self.limit_named: int | None = None
        self.keeps_offset = True
        self.between: Callable[[], None] = lambda: None
        self.queries: list[dict[str, str]] = []
        api.add_callback(responses.GET, f"{API}/actor-runs", self.respond)

    def respond(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        if self.queries:
            self.between()
        query = {name: values[0] for name, values in parse_qs(urlsplit(str(request.url)).query).items()}
        self.queries.append(query)
        wanted = query["status"].split(",") if "status" in query else None
        found = [
            run
            for run in sorted(self.runs, key=lambda run: run["startedAt"])
            if run["startedAt"] >= query["startedAfter"] and (wanted is None or run["status"] in wanted)
        ]
        limit, offset = min(int(query["limit"]), self.page_max), int(query["offset"]) * self.keeps_offset
        page = {
            "total": 0,
            "offset": offset,
            "limit": self.limit_named or limit,
            "items": found[offset : offset + limit],
        }
        return 200, {}, orjson.dumps({"data": page})


def ids(runs: Any) -> list[str]:
    return [run.id for run in runs]


def test_a_run_is_read_with_unknown_fields_and_statuses(platform, api):
    api.get(
        f"{API}/actor-runs/r1",
        json={
            "data": run_of(
                "r1",
                status="PAUSED-TOMORROW",
                statusMessage="Working",
                exitCode=3,
                stats={"resurrectCount": 2, "newCounter": 1},
                options={"build": "latest", "timeoutSecs": 60, "memoryMbytes": 1024, "diskMbytes": 2048},
                novelty={"a": 1},
            )
        },
    )

    run = get_run(platform, "r1")

    assert (run.id, run.act_id, run.status, run.is_terminal) == ("r1", "actor1", "PAUSED-TOMORROW", False)
    assert (run.started_at, run.finished_at, run.exit_code) == (T0, None, 3)
    assert (run.meta.origin, run.meta.user_agent) == ("API", "actorline/1 (i/h.1)")
    assert (run.stats.resurrect_count, run.options.memory_mbytes) == (2, 1024)
    assert (run.default_dataset_id, run.default_key_value_store_id, run.usage_total_usd) == ("ds1", "kvs1", 0.5)
    assert run.status_message == "Working"


def test_an_unneeded_field_of_another_type_is_absent(platform, api):
    odd = {"options": {"timeoutSecs": 300.5, "memoryMbytes": "much"}, "stats": 5, "exitCode": "none", "metamorphs": {}}
    api.get(f"{API}/actor-runs/r1", json={"data": run_of("r1", status="SUCCEEDED", **odd)})
    run = get_run(platform, "r1")
    assert (run.status, run.options.timeout_secs, run.options.memory_mbytes) == ("SUCCEEDED", 300.5, None)
    assert (run.stats.restart_count, run.exit_code, run.metamorphs) == (None, None, [])


@pytest.mark.parametrize("cost", ["nan", "inf", 1e308, -1, "-inf", 10**18])
def test_a_cost_that_cant_be_added_up_is_absent(platform, api, cost):
    api.get(f"{API}/actor-runs/r1", json={"data": run_of("r1", usageTotalUsd=cost)})
    assert get_run(platform, "r1").usage_total_usd is None


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z"])
def test_a_time_beyond_all_clocks_is_absent(platform, api, written):
    api.get(f"{API}/actor-runs/r1", json={"data": run_of("r1", finishedAt=written)})
    assert get_run(platform, "r1").finished_at is None
    api.get(f"{API}/actor-runs/r2", json={"data": run_of("r2", startedAt=written)})
    with pytest.raises(PlatformUnavailable, match=r"Run as the platform documents it: startedAt"):
        get_run(platform, "r2")


def test_a_count_beyond_bounds_is_absent_a_long_status_cut(platform, api):
    api.get(f"{API}/actor-runs/r1", json={"data": run_of("r1", exitCode=10**17, options={"memoryMbytes": 1e300})})
    assert (get_run(platform, "r1").exit_code, get_run(platform, "r1").options.memory_mbytes) == (None, None)
    api.get(f"{API}/actor-runs/r2", json={"data": run_of("r2", status="S" * 1_000)})
    assert (get_run(platform, "r2").status, get_run(platform, "r2").is_terminal) == ("S" * 100, False)


@pytest.mark.parametrize("written", ["2026-11-24T08:00:00.000Z", "2026-11-24T08:00:00", "2026-11-24T10:00:00+02:00"])
def test_a_time_without_a_zone_is_in_utc(platform, api, written):
    api.get(f"{API}/actor-runs/r1", json={"data": run_of("r1", startedAt=written, finishedAt=written)})
    run = get_run(platform, "r1")
    assert (run.started_at, run.finished_at) == (datetime(2026, 11, 24, 8, tzinfo=UTC),) * 2


@pytest.mark.parametrize(
    ("status", "is_terminal"),
    [
        ("READY", False),
        ("RUNNING", False),
        ("TIMING-OUT", False),
        ("ABORTING", False),
        ("SUCCEEDED", True),
        ("FAILED", True),
        ("TIMED-OUT", True),
        ("ABORTED", True),
    ],
)
def test_four_statuses_are_ends(status, is_terminal):
    assert Run.from_platform(run_of("r1", status=status)).is_terminal is is_terminal


def test_what_is_no_run_is_unavailable_and_not_shown(platform, api):
    api.get(f"{API}/actor-runs/r1", json={"data": {"id": "r1", "status": ["secret"]}})

    with pytest.raises(PlatformUnavailable, match=r"not a Run.*status") as caught:
        get_run(platform, "r1")
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("gracefully", "query"), [(False, ""), (True, "gracefully=true")])
def test_abort_posts_and_returns_the_run(platform, api, gracefully, query):
    api.post(f"{API}/actor-runs/r1/abort", json={"data": run_of("r1", status="ABORTING")})

    assert abort_run(platform, "r1", gracefully=gracefully).status == "ABORTING"
    assert urlsplit(api.calls[0].request.url).query == query


def test_all_pages_are_listed_each_run_once(platform, api):
    runs_api = RunsApi(api, [run_of(f"r{n}", n) for n in range(7)], page_max=3)

    assert ids(list_runs(platform, started_after=T0)) == [f"r{n}" for n in range(7)]
    assert runs_api.queries[0] == {"startedAfter": "2026-11-24T08:00:00.000Z", "offset": "0", "limit": "1000"}


def test_run_that_a_list_says_little_of_is_listed(platform, api):
    little = {name: run_of("r0", 0)[name] for name in ("id", "status", "startedAt")}
    RunsApi(api, [little, run_of("r1", 1)], page_max=1000)
    assert ids(list_runs(platform, started_after=T0)) == ["r0", "r1"]


ODD = [
    {"status": None},
    {"status": ["RUNNING"]},
    {"status": "S" * 1_000},
    {"startedAt": None},
    {"startedAt": "soon"},
    {"startedAt": "9999-12-31T23:59:59-14:00"},
    {"meta": None},
]


class OddApi(RunsApi):
    """A server that lists odd items as well, whatever was asked for; each at its place among the runs."""

    def respond(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(str(request.url)).query).items()}
        self.queries.append(query)
        after, offset = query["startedAfter"], int(query["offset"])
        found = [run for run in self.runs if not is_listed(run) or run["startedAt"] >= after]
        return 200, {}, orjson.dumps({"data": {"items": found[offset : offset + self.page_max]}})


def is_listed(item: Any) -> bool:
    """Return whether a server knows when the run was started."""
    return isinstance(item, dict) and str(item.get("startedAt")).startswith("2026")


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("page_max", [2, 1000])
def test_an_odd_run_hides_no_other(platform, api, odd, place, page_max):
    runs = [run_of(f"r{n}", n) for n in range(4)]
    runs.insert(place, run_of("odd", place, **odd))
    OddApi(api, runs, page_max)
    listed = {run.id: run for run in list_runs(platform, started_after=T0)}
    assert set(listed) == {"r0", "r1", "r2", "r3", "odd"}


@pytest.mark.parametrize("nothing", [None, 5, [], {}, {"id": None}, {"id": ""}, {"id": ".."}, {"id": 7}])
@pytest.mark.parametrize("place", [0, 1, 4])
@pytest.mark.parametrize("page_max", [1, 2, 1000])
def test_what_has_no_id_hides_no_run(platform, api, nothing, place, page_max):
    runs: list[Any] = [run_of(f"r{n}", 0) for n in range(4)]
    runs.insert(place, nothing)
    OddApi(api, runs, page_max)
    nameless: list[RunSummary] = []
    assert ids(list_runs(platform, started_after=T0, nameless=nameless)) == ["r0", "r1", "r2", "r3"]
    assert [(run.id, run.status) for run in nameless] == [(NAMELESS, None)]


def test_what_has_no_id_says_the_rest(platform, api):
    OddApi(api, [{**run_of("r0"), "id": None}], 1000)
    nameless: list[RunSummary] = []
    assert ids(list_runs(platform, started_after=T0, nameless=nameless)) == []
    (run,) = nameless
    assert (run.act_id, run.default_key_value_store_id) == ("actor1", "kvs1")
    assert run.meta.user_agent == "actorline/1 (i/h.1)"


def test_no_run_means_one_request(platform, api):
    runs_api = RunsApi(api, [], page_max=3)

    assert ids(list_runs(platform, started_after=T0)) == []
    assert len(runs_api.queries) == 1


def test_one_page_is_proven_whole_by_two_more_requests(platform, api):
    runs_api = RunsApi(api, [run_of("r0", 0), run_of("r1", 1)], page_max=1000)

    assert ids(list_runs(platform, started_after=T0)) == ["r0", "r1"]
    assert [query["offset"] for query in runs_api.queries] == ["0", "0", "1"]


def test_list_with_pages_below_its_limit_is_read_to_its_end(platform, api):
    runs_api = RunsApi(api, [run_of(f"r{n}", 0) for n in range(7)], page_max=3)
    runs_api.limit_named = 1000

    assert ids(list_runs(platform, started_after=T0 - timedelta(seconds=1))) == [f"r{n}" for n in range(7)]


def test_list_that_keeps_to_no_offset_ends(platform, api):
    runs_api = RunsApi(api, [run_of(f"r{n}", n) for n in range(3)], page_max=1000)
    runs_api.keeps_offset = False

    assert ids(list_runs(platform, started_after=T0)) == ["r0", "r1", "r2"]


@pytest.mark.parametrize("page_max", [1, 2, 3, 5])
def test_runs_of_one_millisecond_do_not_stop_the_listing(platform, api, page_max):
    runs = [run_of("a", 0), *(run_of(f"b{n}", 1) for n in range(5)), run_of("c", 2), run_of("d", 2)]
    RunsApi(api, runs, page_max)

    assert ids(list_runs(platform, started_after=T0)) == ["a", "b0", "b1", "b2", "b3", "b4", "c", "d"]


def test_runs_started_while_listing_shift_nothing(platform, api):
    runs_api = RunsApi(api, [run_of(f"r{n}", n) for n in range(6)], page_max=2)
    new = iter(range(3))

    def start_one() -> None:
        if (number := next(new, None)) is not None:
            runs_api.runs.append(run_of(f"new{number}", 1000 + number))

    runs_api.between = start_one

    listed = ids(list_runs(platform, started_after=T0))

    assert listed == [*(f"r{n}" for n in range(6)), "new0", "new1", "new2"]


def test_runs_deleted_while_listing_hide_no_other(platform, api):
    runs_api = RunsApi(api, [run_of(f"r{n}", n) for n in range(6)], page_max=2)
    runs_api.between = lambda: runs_api.runs.__delitem__(0) if len(runs_api.runs) > 4 else None

    assert ids(list_runs(platform, started_after=T0)) == [f"r{n}" for n in range(6)]


def test_runs_that_leave_the_status_while_listing_hide_no_other(platform, api):
    runs_api = RunsApi(api, [run_of(f"r{n}", n) for n in range(6)], page_max=2)
    runs_api.between = lambda: runs_api.runs[0].update(status="SUCCEEDED")

    listed = ids(list_runs(platform, started_after=T0, status=["READY", "RUNNING"]))

    assert listed == [f"r{n}" for n in range(6)]
    assert runs_api.queries[0]["status"] == "READY,RUNNING"


def test_the_bound_is_sent_in_utc_and_rounded_down(platform, api):
    runs_api = RunsApi(api, [], page_max=3)
    started_after = datetime(2026, 11, 24, 10, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))

    list(list_runs(platform, started_after=started_after))

    assert runs_api.queries[0]["startedAfter"] == "2026-11-24T08:00:00.123Z"


def test_a_time_without_zone_is_refused(platform):
    with pytest.raises(ValueError, match="time zone"):
        list(list_runs(platform, started_after=T0.replace(tzinfo=None)))


def test_what_is_no_list_is_unavailable_not_an_empty_list(platform, api):
    api.get(f"{API}/actor-runs", json={"data": {"total": 5}})

    with pytest.raises(PlatformUnavailable, match="not a list of runs"):
        list(list_runs(platform, started_after=T0))


def test_the_log_tail_is_the_last_lines(platform, api):
    api.get(f"{API}/logs/r1", body="\n".join(f"line {n} ü" for n in range(20_000)) + "\n")

    assert get_log_tail(platform, "r1", lines=2) == ["line 19998 ü", "line 19999 ü"]


def test_a_log_that_comes_byte_by_byte_holds_no_thread(monkeypatch):
    monkeypatch.setattr(timed_response, "SLOW_SECS", -29.5)  # beyond the 30 s in which a server may be silent
    with tiny_server(lambda _: drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", 9999 * b"x")) as server:
        platform = Platform(server.url, SecretStr("t"))
        with pytest.raises(PlatformUnavailable, match="comes too slowly"):
            get_log_tail(platform, "r1")
        platform.close()


def test_an_empty_log_has_no_lines(platform, api):
    api.get(f"{API}/logs/r1", body="")

    assert get_log_tail(platform, "r1") == []
