from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from tiny_server import Reply, Request, TinyServer, reply, tiny_server

from actorline.platform.client import Platform
from actorline.platform.errors import PlatformError
from actorline.platform.marker import (
    Marker,
    SearchResult,
    digest_of,
    find_marked,
    list_unended,
    make_marker,
    read_marker,
)
from actorline.platform.runs import NAMELESS

OURS = make_marker("al-1f00aa", "nightly@2026-11-23T00:00:00Z", 1)
SINCE = datetime(2026, 11, 23, 8, tzinfo=UTC)


def run(run_id: str | None, minute: int, user_agent: str | None = None, origin: str | None = "API") -> dict[str, Any]:
    meta = {name: value for name, value in {"origin": origin, "userAgent": user_agent}.items() if value is not None}
    return {
        "id": run_id,
        "actId": "a1",
        "status": "RUNNING",
        "startedAt": f"2026-11-23T08:{minute:02}:00.000Z",
        "buildId": "b1",
        "buildNumber": "1",
        "defaultDatasetId": "d1",
        "defaultKeyValueStoreId": "k1",
        "defaultRequestQueueId": "q1",
        "meta": meta,
    }


def account(listed: list[dict[str, Any]], single: dict[str, Reply] | None = None) -> Callable[[Request], Reply]:
    """An account with these runs: as a list says them, and as a GET of each one does."""

    def respond(request: Request) -> Reply:
        path, query = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        if path != "/v2/actor-runs":
            return (single or {}).get(path.rpartition("/")[2], reply(404, not_found))
        after, offset = query["startedAfter"][0], int(query["offset"][0])
        items = [each for each in listed if each["startedAt"] >= after][offset : offset + 2]
        page = {"total": len(listed), "offset": offset, "limit": 2, "count": len(items), "desc": False, "items": items}
        return reply(200, {"data": page})

    return respond


not_found = {"error": {"type": "record-not-found", "message": "Actor run was not found"}}


def search(respond: Callable[[Request], Reply], marker: str = OURS) -> tuple[SearchResult, TinyServer]:
    with tiny_server(respond) as server:
        platform = Platform(server.url, SecretStr("apify_api_x"), user_agent="actorline/test", sleep=lambda _: None)
        try:
            return find_marked(platform, marker, started_after=SINCE), server
        finally:
            platform.close()


def ids(found: SearchResult) -> tuple[list[str], list[str], list[str]]:
    """Ours, those that can't be read, and those that show no marker."""
    return found.run_ids, [run.id for run in found.unreadable], [run.id for run in found.others]


def test_a_marker_is_short_ascii_and_hides_the_key():
    marker = make_marker("al-1f00aa", "käse 🧀" * 40, 12)
    assert marker.isascii()
    assert marker.isprintable()
    assert len(marker) < 80
    assert "se" not in marker.split("(")[1].split("/")[1]
    assert OURS.startswith("actorline/")
    assert OURS.endswith(".1)")


def test_every_installation_key_and_attempt_has_its_own_marker():
    markers = {
        make_marker(installation, key, attempt)
        for installation in ("al-1", "al-2")
        for key in ("a", "b")
        for attempt in (1, 2, 12)
    }
    assert len(markers) == 12


@pytest.mark.parametrize(
    ("other", "shown"),
    [
        (make_marker("al-1f00aa", "other", 1), []),
        (OURS.replace(".1)", ".12)"), []),
        ("curl/8", ["r1"]),  # no marker at all: it may be ours if something on the way changes user agents
        ("", ["r1"]),
    ],
)
def test_a_run_of_anybody_else_is_not_ours(other, shown):
    assert ids(search(account([run("r1", 1, other)]))[0]) == ([], [], shown)


def test_a_marker_is_read_back_and_nothing_else_is_taken_for_one():
    assert read_marker(OURS) == Marker("al-1f00aa", digest_of("nightly@2026-11-23T00:00:00Z"), 1)
    for other in (
        None,
        "",
        "curl/8",
        "ApifyClient/3.1 (linux; Python/3.11)",
        OURS.replace("actorline/", "x/"),
        OURS[:-3],
    ):
        assert read_marker(other) is None


def test_an_installations_runs_are_listed_with_their_markers():
    listed = [
        run("r1", 1, OURS),
        run("r2", 2, make_marker("al-2f00aa", "k", 1)),
        run("r3", 3, "curl/8"),
        run("r4", 4, make_marker("al-1f00aa", "k", 2)),
        run("r5", 5),
    ]
    with tiny_server(account(listed, {"r5": reply(200, {"data": run("r5", 5, OURS)})})) as server:
        platform = Platform(server.url, SecretStr("apify_api_x"), user_agent="actorline/test")
        unended = list(list_unended(platform, "al-1f00aa", started_after=SINCE))
        platform.close()
    assert [(each.id, marker.attempt) for each, marker in unended] == [("r1", 1), ("r4", 2), ("r5", 1)]
    assert all("status=ABORTING,READY,RUNNING,TIMING-OUT" in r.path for r in server.requests if "?" in r.path)


def test_all_pages_are_searched_and_the_oldest_run_comes_first():
    listed = [run(f"r{minute}", minute, OURS if minute in {3, 6} else "curl/8") for minute in range(8)]
    found, server = search(account(listed))
    assert found.run_ids == ["r3", "r6"]
    assert all(request.path.startswith("/v2/actor-runs?startedAfter=2026-11-23T08") for request in server.requests)


def test_a_run_of_another_release_of_ours_is_found():
    assert search(account([run("r1", 1, OURS.replace("actorline/", "actorline/9."))]))[0].run_ids == ["r1"]


def test_list_items_without_a_user_agent_are_read_singly():
    single = {"r1": reply(200, {"data": run("r1", 1, "curl/8")}), "r2": reply(200, {"data": run("r2", 2, OURS)})}
    found, server = search(account([run("r1", 1), run("r2", 2, origin=None)], single))
    assert ids(found) == (["r2"], [], ["r1"])
    assert [request.path for request in server.requests if "?" not in request.path] == [
        "/v2/actor-runs/r1",
        "/v2/actor-runs/r2",
    ]


@pytest.mark.parametrize("origin", ["WEB", "SCHEDULER", "DEVELOPMENT"])
def test_runs_that_were_not_started_by_the_api_cost_no_request(origin):
    found, server = search(account([run("r1", 1, origin=origin)]))
    assert found == SearchResult()
    assert all("?" in request.path for request in server.requests)


def test_a_run_without_any_marker_is_reported_not_called_foreign():
    found, _ = search(account([run("r1", 1)], {"r1": reply(200, {"data": run("r1", 1)})}))
    assert ids(found) == ([], ["r1"], [])


def test_a_listed_run_that_cannot_be_found_yet_may_be_ours():
    assert ids(search(account([run("r1", 1), run("r2", 2, OURS)]))[0]) == (["r2"], ["r1"], [])


ODD = [{"status": None}, {"status": ["RUNNING"]}, {"startedAt": "soon-2026"}, {"meta": None}]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_item_is_believed_only_as_the_run_itself_says_it(odd):
    """Neither that it is ours, nor that it isn't."""
    listed = [{**run("ours", 1, "curl/8"), **odd}, {**run("theirs", 2, OURS), **odd}, {**run("web", 3), **odd}]
    single = {
        "ours": reply(200, {"data": run("ours", 1, OURS)}),
        "theirs": reply(200, {"data": run("theirs", 2, "curl/8")}),
        "web": reply(200, {"data": run("web", 3, origin="WEB")}),
    }
    assert ids(search(account(listed, single))[0]) == (["ours"], [], ["theirs"])


@pytest.mark.parametrize("odd", [{"status": None}, {"startedAt": None}, {"defaultDatasetId": None}, {"actId": 5}])
def test_a_run_that_is_odd_itself_is_known_by_its_marker(odd):
    listed = [{**run("r1", 1), **odd, "startedAt": "2026-11-23T08:01:00.000Z"}]
    single = {"r1": reply(200, {"data": {**run("r1", 1, OURS), **odd}})}
    assert ids(search(account(listed, single))[0]) == (["r1"], [], [])


@pytest.mark.parametrize("single", [{}, {"r1": reply(200, {"data": None})}, {"r1": reply(200, {"data": {"id": 5}})}])
def test_an_odd_item_without_a_self_is_as_the_list_says(single):
    listed = [{**run("r1", 1, origin="WEB"), "status": None}]
    assert ids(search(account(listed, single))[0]) == ([], [], [])
    listed = [{**run("r1", 1), "status": None}]
    assert ids(search(account(listed, single))[0]) == ([], ["r1"], [])


def test_an_item_without_an_id_isnt_ruled_out_and_cant_be_ours():
    listed = [run(None, 1, OURS), run(None, 2), run(None, 3, make_marker("al-1f00aa", "k", 1)), run(None, 4, "curl/8")]
    listed += [run(None, 5, origin="WEB")]
    found, server = search(account(listed))
    assert ids(found) == ([], [NAMELESS, NAMELESS], [NAMELESS])
    assert all("?" in request.path for request in server.requests)


def test_an_unended_run_that_cant_be_read_is_left_out():
    listed = [{**run("r1", 1, OURS), "status": None}, run("r2", 2, OURS)]
    with tiny_server(account(listed)) as server:
        platform = Platform(server.url, SecretStr("apify_api_x"), user_agent="actorline/test")
        unended = list(list_unended(platform, "al-1f00aa", started_after=SINCE))
        platform.close()
    assert [each.id for each, _ in unended] == ["r2"]


@pytest.mark.parametrize("broken", ["list", "run"])
def test_a_search_that_was_not_complete_is_no_search(broken):
    listed = [run("r1", 1, OURS), run("r2", 2), run("r3", 3)]
    whole = account(listed, {"r2": reply(500, b"")})

    def respond(request: Request) -> Reply:
        is_second_page = "?" in request.path and "08%3A00%3A00" not in request.path
        return reply(500, b"") if broken == "list" and is_second_page else whole(request)

    with pytest.raises(PlatformError):
        search(respond)
