"""Which sentinels' words make a replica's confirmation worthless."""

import pytest
import redis

from actorline.ledger.store import connect
from actorline.redis_connection.succession import Succession

OURS, OTHER = ("10.0.0.1", 6379), ("10.0.0.2", 6379)


class Sentinel:
    """One that says what it was told to say, or nothing."""

    def __init__(self, address, epoch=1, flags=("master",)):
        self.view = address and {"ip": address[0], "port": address[1], "config-epoch": epoch, "flags": ",".join(flags)}
        self.asked = 0

    def sentinel_masters(self):
        self.asked += 1
        if self.view is None:
            raise redis.ConnectionError("away")
        return {"orders": self.view}


GOOD = (OURS,)  # what makes a Sentinel
AWAY = (None,)
REPLACING = (OURS, 1, ("master", "failover_in_progress"))
REPLACED = (OTHER, 2)


@pytest.mark.parametrize(
    ("sentinels", "objection"),
    [
        ([GOOD, GOOD, GOOD], None),
        ([GOOD, GOOD, AWAY], None),
        ([GOOD, AWAY, AWAY], "Only 1 of 3 sentinels respond"),
        ([GOOD, GOOD, REPLACING], "Redis is being handed over to another server"),
        ([GOOD, GOOD, REPLACED], "Redis was handed over to another server"),
        ([REPLACED, REPLACED, REPLACED], "Redis was handed over to another server"),
    ],
)
def test_objection_is_what_the_newest_view_says(sentinels, objection):
    assert Succession([Sentinel(*each) for each in sentinels], "orders").objection(OURS) == objection


def test_successor_counts_while_its_failover_is_being_finished():
    """One sentinel still names the server before, until the last replica follows."""
    finishing = Sentinel(OTHER, epoch=1, flags=("master", "failover_in_progress"))
    known = Sentinel(OURS, epoch=2)
    assert Succession([finishing, known, known], "orders").objection(OURS) is None


def test_silent_sentinel_is_not_asked_at_each_write():
    away = Sentinel(None)
    succession = Succession([Sentinel(OURS), Sentinel(OURS), away], "orders")
    assert [succession.objection(OURS) for _ in range(3)] == [None] * 3
    assert away.asked == 1


def test_only_a_server_that_sentinels_name_has_a_succession():
    assert Succession.of(connect("redis://127.0.0.1:6379/0")) is None
    assert Succession.of(connect("sentinel://127.0.0.1:26379/0?master=orders")) is not None
