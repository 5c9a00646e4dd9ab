"""Which list a worker's next message comes from, while all of them hold some."""

from collections import Counter
from types import SimpleNamespace

import pytest
from kombu.utils.scheduling import priority_cycle

from workers.broker.fair_turns import STEPS, Channel

ORDERS, URGENT, STARTS = "orders", "control", "control\x06\x163"


@pytest.fixture
def taken_first():
    """The list that each of a worker's turns looks at first: `taken_first(["queue"], turns)`."""
    sent: list[list[str]] = []
    channel = object.__new__(Channel)
    channel.client = SimpleNamespace(connection=SimpleNamespace(send_command=lambda *words: sent.append([*words])))
    channel.brpop_timeout = 1
    channel._pool = channel._async_pool = None

    def take(queues: list[str], turns: int, waiting: set[str]) -> list[str]:
        channel._active_queues = queues
        channel.active_fanout_queues = set()
        channel._queue_cycle = priority_cycle(list(queues))
        for _ in range(turns):
            channel._brpop_start()
        return [next(name for name in command[1:-1] if name in waiting) for command in sent]

    return take


def test_orders_urgent_work_and_starts_take_turns(taken_first):
    first = taken_first([ORDERS, URGENT], 30, {ORDERS, URGENT, STARTS})
    assert Counter(first) == {ORDERS: 10, URGENT: 10, STARTS: 10}
    assert all(len(set(first[at : at + 3])) == 3 for at in range(28))


def test_starts_go_by_priority_whosever_turn_it_is(taken_first):
    later = "control\x06\x169"
    assert set(taken_first([ORDERS, URGENT], 30, {STARTS, later})) == {STARTS}


def test_single_queue_keeps_its_urgent_messages_moving(taken_first):
    late = "fetch\x06\x163"
    assert Counter(taken_first(["fetch"], 10, {"fetch", late})) == {"fetch": 5, late: 5}


@pytest.mark.parametrize(("priority", "step"), [(0, 0), (2, 0), (3, 3), (5, 3), (6, 6), (8, 6), (9, 9)])
def test_priority_belongs_to_the_same_list_in_every_turn(priority, step):
    channel = object.__new__(Channel)
    channel._pool = channel._async_pool = None
    channel.priority_steps = (*STEPS[1:], STEPS[0])
    assert channel.priority(priority) == step
