from typing import Any

import pytest

from actorline.errors import Unavailable
from actorline.ledger.durability import check_server, read_server


class FakeRedis:
    """A server that says of itself what it is told to; the built-in one can be neither old nor full."""

    def __init__(self, **info: Any) -> None:
        self._info = {"run_id": "r", "redis_version": "7.2.4", "uptime_in_seconds": 9, "aof_enabled": 1, **info}

    def info(self) -> dict[str, Any]:
        return self._info


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"redis_version": "6.0.16"}, ("too old: 6.0.16", "Use 6.2 or newer")),
        ({"redis_version": "5.0"}, ("too old: 5.0",)),
        ({"aof_enabled": 0}, ("append-only file", "CONFIG SET appendonly yes")),
        ({"aof_last_write_status": "err"}, ("can't write its append-only file", "Free some space")),
        ({"cluster_enabled": 1}, ("Redis Cluster", "Use a single Redis")),
        ({"role": "slave"}, ("is a replica", "ACTORLINE_REDIS_URL to the primary")),
        ({"maxmemory_policy": "allkeys-lru"}, ("maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy")),
    ],
)
def test_a_server_that_may_forget_is_refused_with_the_fix(info, words):
    with pytest.raises(Unavailable) as caught:
        check_server(FakeRedis(**info))
    assert "Nothing was started" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "info", [{}, {"redis_version": "6.2.0"}, {"aof_last_write_status": "ok", "maxmemory_policy": "noeviction"}]
)
def test_a_server_that_keeps_what_it_is_told_is_taken(info):
    check_server(FakeRedis(**info))


@pytest.mark.parametrize(
    ("facts", "bound", "is_full"),
    [
        ({"maxmemory": 100}, None, True),
        ({"maxmemory": 110}, None, False),
        ({"maxmemory": 0}, None, False),
        ({"maxmemory": 0, "total_system_memory": 100}, None, True),
        ({"maxmemory": 110, "total_system_memory": 100}, None, False),
        ({"maxmemory": 200}, 100, True),
        ({"maxmemory": 100}, 200, True),
        ({"maxmemory": 0}, 100, True),
    ],
)
def test_the_last_tenth_of_memory_is_not_for_new_orders(facts, bound, is_full):
    assert read_server(FakeRedis(used_memory=95, **facts)).is_nearly_full(bound) is is_full
