"""What is told to Redis of a message, and asked by a sweep with nothing to do: few commands, and all that matters."""

import time
from collections import Counter
from types import SimpleNamespace

import pytest
from kombu import Connection, Queue
from kombu.transport import redis as transport
from real_parts import captured_commands

from actorline.settings import load_settings
from actorline.upkeep.care import Care
from actorline.upkeep.upkeep import Upkeep
from workers.broker.fair_turns import Channel

OPTIONS = {"unacked_key": "few.unacked", "unacked_index_key": "few.unacked_index"}
pytestmark = pytest.mark.thorough


@pytest.fixture
def connection(valkey):
    with Connection(valkey, transport_options=OPTIONS) as connection:
        connection.transport.Channel = Channel
        yield connection


@pytest.fixture
def queue(connection):
    queue = Queue("few", routing_key="few", channel=connection.default_channel)
    queue.declare()
    yield queue
    queue.purge()
    queue.delete()


def test_message_is_taken_and_struck_off_by_a_command_each(valkey, connection, queue):
    channel = connection.default_channel
    connection.Producer(routing_key="few").publish({"a": 1})
    queue.get().ack()  # Redis knows the scripts from now on
    connection.Producer(routing_key="few").publish({"a": 1})
    with captured_commands(valkey) as commands:
        message = queue.get()
        assert channel.client.hlen("few.unacked") == channel.client.zcard("few.unacked_index") == 1
        message.ack()
    ours = [each["command"] for each in commands if each["client_type"] != "lua" and "few.unacked" in each["command"]]
    assert Counter(command.split()[0] for command in ours) == {"EVALSHA": 2, "HLEN": 1, "ZCARD": 1}
    assert channel.client.exists("few.unacked", "few.unacked_index") == 0


def test_message_of_a_dead_worker_is_given_back_whole(connection, queue):
    channel = connection.default_channel
    connection.Producer(routing_key="few").publish({"a": 1})
    taken = queue.get()
    assert channel._size("few") == 0
    channel.qos.restore_by_tag(taken.delivery_tag)
    again = queue.get()
    assert (again.payload, again.delivery_info["redelivered"]) == ({"a": 1}, True)
    again.ack()


def test_worker_whose_clock_is_ahead_leaves_what_others_hold(monkeypatch, connection, queue):
    channel = connection.default_channel
    connection.Producer(routing_key="few").publish({"a": 1})
    message = queue.get()
    monkeypatch.setattr(transport, "time", lambda: time.time() + 3600)
    channel.qos.restore_visible(num=None, interval=1)
    assert queue.get() is None
    channel.client.zadd("few.unacked_index", {message.delivery_tag: 0})
    channel.qos.renew([message.delivery_tag])
    channel.qos.restore_visible(num=None, interval=1)
    assert queue.get() is None
    channel.client.zadd("few.unacked_index", {message.delivery_tag: 0})  # nobody renewed it for a long time
    channel.qos.restore_visible(num=None, interval=1)
    again = queue.get()
    assert (again.payload, again.delivery_info["redelivered"]) == ({"a": 1}, True)
    again.ack()


def test_length_of_a_queue_counts_every_priority(connection, queue):
    for priority in (0, 3, 9):
        connection.Producer(routing_key="few").publish({}, priority=priority)
    assert connection.default_channel._size("few") == 3


def test_sweep_with_nothing_to_do_sends_a_dozen_commands(valkey, own_line):
    ledger = own_line("idle-sweep").ledger
    outbox = SimpleNamespace(queue_lengths=lambda: {"doors": 0, "control": 0, "fetch": 0})
    upkeep = Upkeep(ledger, load_settings(), Care(ledger, "idle", outbox, 30), outbox)
    upkeep.sweep()  # Redis knows the scripts from now on
    with captured_commands(valkey) as commands:
        upkeep.sweep()
    sent = [each["command"] for each in commands if each["client_type"] != "lua" and "idle-sweep" in each["command"]]
    assert len(sent) <= 12
