"""The platform's rates are kept by all workers together."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from real_parts import delivery_of, wait_for

from actorline.identifiers import AccountName
from actorline.ledger.admission import rate_limit
from actorline.ledger.admission.rate_limit import RedisGovernor, resource_of
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from actorline.platform.client import TURN_PATIENCE_SECS, RateFacts
from actorline.platform.errors import RateLimited

PATH = "datasets/d1/items"


@pytest.fixture
def governors(valkey, request):
    """Two workers' governors on one Redis."""
    ledgers = [Ledger(connect(valkey + "?virtual_host=2"), f"rates-{request.node.name[:20]}") for _ in range(2)]
    yield [RedisGovernor(ledger, AccountName("default")) for ledger in ledgers]
    for ledger in ledgers:
        ledger.redis.close()


@pytest.fixture
def slept(monkeypatch):
    """For how long the governors have let requests wait."""
    seconds: list[float] = []

    def sleep(secs: float) -> None:
        seconds.append(secs)
        time.sleep(secs)

    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    return seconds


def take_turns(governors, count, path=PATH):
    """Seconds that so many requests took, from both workers with several threads."""
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: governors[number % 2].wait_for_turn(path, TURN_PATIENCE_SECS), range(count)))
    return time.monotonic() - began


def test_workers_together_keep_the_rate_that_the_platform_names(governors):
    governors[0].learn(PATH, RateFacts(rate_limit=20, is_refused=False, retry_after_s=None))
    assert take_turns(governors, 50) >= 1.5  # 20 at once, 30 more at 20 a second


def test_each_dataset_has_its_own_rate(governors, slept):
    governors[0].learn(PATH, RateFacts(rate_limit=20, is_refused=False, retry_after_s=None))
    take_turns(governors, 20)
    slept.clear()
    take_turns(governors, 20, "datasets/d2/items")
    assert slept == []


def test_refusal_of_one_worker_holds_all_for_as_long_as_asked(governors, slept):
    began = time.monotonic()
    governors[0].learn(PATH, RateFacts(rate_limit=None, is_refused=True, retry_after_s=1.2))
    take_turns(governors[1:] * 2, 1)
    assert time.monotonic() - began >= 1.1
    slept.clear()
    take_turns(governors, 1, "datasets/d2")
    assert slept == []


def test_long_wait_that_was_asked_for_is_left_to_the_caller(governors, slept):
    governors[0].learn(PATH, RateFacts(rate_limit=None, is_refused=True, retry_after_s=50))
    with pytest.raises(RateLimited, match="No request was sent") as raised:
        governors[1].wait_for_turn(PATH, TURN_PATIENCE_SECS)
    assert 0 < raised.value.retry_after_s <= 50
    assert slept == []


def test_wait_that_grows_while_it_lasts_is_left_to_the_caller(governors, monkeypatch):
    """The next request would go out although the platform has asked for more."""
    clock = SimpleNamespace(now=0.0)

    def sleep(secs: float) -> None:
        clock.now += secs

    monkeypatch.setattr(rate_limit, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
    governors[0].learn(PATH, RateFacts(rate_limit=None, is_refused=True, retry_after_s=29))
    with pytest.raises(RateLimited):
        governors[1].wait_for_turn(PATH, TURN_PATIENCE_SECS)
    assert 0 < clock.now < TURN_PATIENCE_SECS


def test_worker_whose_clock_is_ahead_holds_up_nobody(governors, monkeypatch, slept):
    governors[0].learn(PATH, RateFacts(rate_limit=20, is_refused=False, retry_after_s=None))
    with monkeypatch.context() as ahead:
        now = time.time
        ahead.setattr(time, "time", lambda: now() + 30)
        take_turns(governors[:1] * 2, 20)
    slept.clear()
    take_turns(governors[1:] * 2, 1)
    assert sum(slept) < 5


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("datasets/d1/items", ("datasets", "d1")),
        ("/datasets/d1", ("datasets", "d1")),
        ("key-value-stores/k1/keys", ("key-value-stores", "k1")),
        ("key-value-stores/k1/records/OUTPUT", ("records", "k1")),
        ("/actors/apify~web-scraper/runs", ("actors", "apify~web-scraper")),
        ("actor-runs/r1", ("actor-runs", "r1")),
        ("actor-runs", ("actor-runs", "")),
    ],
)
def test_each_resource_has_a_rate_of_its_own(path, resource):
    assert resource_of(path) == resource


def test_job_of_many_tiny_pages_keeps_the_datasets_rate(line):
    # a machine that stands still for a moment squeezes requests together: hardly so three times
    assert any(busiest_second(line, f"tiny-pages-{number}") <= 66 for number in range(3))  # 60, and a little squeezed


def busiest_second(line, key: str) -> int:
    actor = line.emulator.actor("tiny-pages", items=150, duration_secs=0)
    result = line.submit({"key": key, "actor": actor, "collect": {"page_items": 1}}).get(timeout=120)
    assert (result["state"], result["items"], result["pages"]) == ("DELIVERED", 150, 150)
    assert delivery_of(result).sha256 == line.emulator.expected(result["dataset_id"])["sha256"]
    times = sorted(request["at"] for request in line.emulator.requests("GET", f"/v2/datasets/{result['dataset_id']}"))
    return max(sum(at <= other < at + 1 for other in times) for at in times)


def test_start_that_is_refused_by_rate_holds_the_actors_other_starts(line, faults):
    actor = line.emulator.actor("too-many-starts", items=1, duration_secs=0)
    path = f"/actors/{actor.replace('/', '~')}/runs"
    faults({"action": "status", "path_regex": path, "status": 429, "headers": {"Retry-After": "8"}, "times": 1})
    first = line.submit({"key": "refused-by-rate", "actor": actor})
    wait_for(lambda: line.state("refused-by-rate") == "WAITING", what="the refusal")
    others = [line.submit({"key": f"held-by-rate-{number}", "actor": actor}) for number in range(4)]
    assert [answer.get(timeout=60)["state"] for answer in (first, *others)] == ["DELIVERED"] * 5
    refused, *started = line.emulator.starts(actor)
    assert [post["status"] for post in (refused, *started)] == [429, *[201] * 5]
    assert min(post["at"] for post in started) >= refused["at"] + 8
