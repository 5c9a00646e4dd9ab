"""What `doctor` says of Redis's settings and of messages, for each weakness and for none."""

import time
from types import SimpleNamespace

import pytest

from actorline.checks.broker import check_queues, check_settings_of_redis
from actorline.ledger.queries import broker


class Redis:
    """As much of a client as the checks ask."""

    def __init__(self, *, lists=None, stale=0, keys=(), settings=None):
        self.lists, self.stale, self.keys, self.settings = lists or {}, stale, keys, settings or {}

    def llen(self, name):
        return self.lists.get(name, 0)

    def zcount(self, name, low, high):
        assert (name, low, high < time.time() - 60) == ("al.unacked_index", "-inf", True)
        return self.stale

    def exists(self, name):
        return name in self.keys

    def config_get(self, name):
        return {name: self.settings[name]} if name in self.settings else {}

    def close(self):
        pass


@pytest.fixture
def queues(monkeypatch):
    settings = SimpleNamespace(namespace="al", broker="redis://x", visibility_timeout_secs=15)

    def check(redis, *, has_workers=True, **unseen_s):
        monkeypatch.setattr(broker, "connect", lambda *_, **__: redis)
        found = check_queues(settings, unseen_s, has_workers=has_workers)
        return [(each.is_good, each.text) for each in found]

    return check


def test_messages_that_are_taken_are_no_finding(queues):
    assert queues(Redis(lists={"al.fetch": 3}), fetch=4) == []


def test_messages_of_any_priority_that_nobody_takes_are_one(queues):
    redis = Redis(lists={"al.fetch": 1, "al.fetch\x06\x169": 2, "al": 1})
    assert queues(redis, fetch=40, control=2, doors=2) == [
        (False, "3 messages in al.fetch, and no worker takes any"),
    ]
    assert queues(redis, fetch=4) == [(False, "1 message in al, and no worker takes any")]


def test_messages_wait_for_workers_that_the_next_command_starts(queues):
    assert queues(Redis(lists={"al.control": 1}, stale=1), has_workers=False, control=40) == []


def test_what_a_dead_worker_held_and_another_app_are_named(queues):
    assert queues(Redis(stale=2, keys=("unacked",))) == [
        (False, "2 of a dead worker's messages were not given back"),
        (True, "another Celery app keeps what its workers hold in the broker's database, too"),
    ]


@pytest.mark.parametrize(
    ("hz", "fsync", "behind_s", "found"),
    [
        (500, "everysec", 0, []),
        (10, "everysec", 0, [(True, "redis")]),
        (500, "no", 0, [(False, "redis")]),
        (500, "everysec", 60, [(False, "clock")]),
    ],
)
def test_settings_that_weaken_a_promise_have_a_fix(hz, fsync, behind_s, found):
    redis = Redis(settings={"appendfsync": fsync})
    server = SimpleNamespace(hz=hz)
    ledger = SimpleNamespace(server=lambda: server, redis=redis, now=lambda: time.time() - behind_s)
    findings = list(check_settings_of_redis(ledger))
    assert [(each.is_good, each.subject) for each in findings] == found
    assert all(each.fix for each in findings)
