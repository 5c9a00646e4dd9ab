"""Which endpoint a request counts for, and that each request is counted."""

import re

import pytest
import requests
from pydantic import SecretStr

from actorline.identifiers import RunId
from actorline.platform import actors, datasets, key_value_stores, runs, users
from actorline.platform.client import Platform
from actorline.platform.endpoints import ENDPOINTS, OTHER, endpoint_of
from actorline.platform.errors import PlatformError


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("GET", "/v2/users/me/limits", "GET users/me/limits"),
        ("GET", "/v2/actor-runs?limit=1", "GET actor-runs"),
        ("GET", "/v2/actor-runs/abc", "GET actor-runs/{id}"),
        ("POST", "/v2/actors/me~abc/runs?memory=128", "POST actors/{id}/runs"),
        ("GET", "/v2/key-value-stores/a/records/items", "GET key-value-stores/{id}/records/{id}"),
        ("GET", "/v2/datasets/items/items", "GET datasets/{id}/items"),
        ("GET", "/proxied/v2/datasets/x", "GET datasets/{id}"),
        ("GET", "/bucket/anything", OTHER),
        ("PUT", "/v2/actor-runs/abc", OTHER),
    ],
)
def test_an_endpoint_holds_no_name_of_a_thing(method, path, endpoint):
    assert endpoint_of(method, path) == endpoint


class Noted:
    def __init__(self) -> None:
        self.calls: list[tuple[str, int | None]] = []

    def note_request(self, method: str, path: str, status: int | None, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((endpoint_of(method, path), status))


def metered(noted: Noted) -> Platform:
    return Platform("https://api.example.test", SecretStr("token"), meter=noted, sleep=lambda _: None)


def test_every_request_is_measured_repeats_and_losses_too(api):
    url, noted = "https://api.example.test/v2/actor-runs/abc", Noted()
    api.get(url, status=500)
    api.get(url, body=requests.ConnectionError("gone"))
    api.get(url, status=404, json={"error": {"type": "record-not-found"}})
    with pytest.raises(PlatformError):
        runs.get_run(metered(noted), RunId("abc"))
    assert noted.calls == [("GET actor-runs/{id}", 500), ("GET actor-runs/{id}", None), ("GET actor-runs/{id}", 404)]


@pytest.mark.parametrize(
    "call",
    [
        users.get_me,
        users.get_limits,
        lambda platform: actors.get_actor(platform, "a/b"),
        lambda platform: actors.get_actor_task(platform, "a/b"),
        lambda platform: runs.get_run(platform, "r"),
        lambda platform: runs.abort_run(platform, "r"),
        lambda platform: datasets.get_dataset(platform, "d"),
        lambda platform: datasets.open_items(platform, "d", offset=0, limit=1, params={}),
        lambda platform: key_value_stores.open_record(platform, "s", "OUTPUT"),
    ],
)
def test_each_call_to_the_platform_has_its_endpoint(call, api):
    for method in ("GET", "POST"):
        api.add(method, re.compile(".*"), status=404, json={"error": {"type": "record-not-found"}})
    api.assert_all_requests_are_fired = False
    noted = Noted()
    with pytest.raises(PlatformError):
        call(metered(noted))
    assert {endpoint for endpoint, _ in noted.calls} <= set(ENDPOINTS)
