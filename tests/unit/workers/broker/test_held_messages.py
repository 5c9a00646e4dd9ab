"""An acknowledged message takes no place, and is struck off together with the next one or soon."""

from types import SimpleNamespace

import pytest
import redis
from kombu.asynchronous import Hub, set_event_loop

from workers.broker.held_messages import QoS


class Channel(SimpleNamespace):
    """Remembers what was noted and struck off; raises `error` instead."""

    error = None

    def conn_or_acquire(self, _=None):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def pipeline(self):
        return self

    def __getattr__(self, name):
        def command(*_, **__):
            if name in {"execute", "transaction"} and self.error:
                raise self.error
            return self

        return command

    def run_script(self, _script, _keys, args):
        if self.error:
            raise self.error
        tag, _, *acknowledged = args
        self.sent.append((tag, acknowledged))


@pytest.fixture
def qos():
    """Of a worker with room for one message, which it has."""
    channel = Channel(unacked_key="unacked", unacked_index_key="index", do_restore=False, sent=[])
    qos = QoS(channel, prefetch_count=1)
    qos._quick_append("tag", "message")
    assert not qos.can_consume()
    yield qos
    qos._on_collect.cancel()


@pytest.fixture
def loop():
    loop = Hub()
    set_event_loop(loop)
    yield loop
    set_event_loop(None)
    loop.close()


def message():
    return SimpleNamespace(_raw={"body": "{}"}, delivery_info={"exchange": "", "routing_key": "few"})


def test_without_a_loop_a_message_is_struck_off_at_once(qos):
    qos.ack("tag")
    assert qos.channel.sent == [("", ["tag"])]
    assert qos.can_consume()


def test_acknowledged_message_is_struck_off_with_the_next(qos, loop):
    qos.ack("tag")
    assert (qos.channel.sent, qos.can_consume()) == ([], True)
    qos.append(message(), "next")
    assert qos.channel.sent == [("next", ["tag"])]
    loop.run_once()
    assert len(qos.channel.sent) == 1
    assert qos.held() == {"next"}


def test_acknowledged_messages_are_struck_off_soon(qos, loop):
    qos._quick_append("other", "message")
    qos.ack("tag")
    qos.ack("other")
    while not qos.channel.sent:
        loop.run_once()
    assert qos.channel.sent == [("", ["tag", "other"])]


def test_stopping_worker_strikes_off_at_once(qos, loop, monkeypatch):
    monkeypatch.setattr("workers.broker.held_messages.is_stopping", lambda: True)
    qos.ack("tag")
    assert qos.channel.sent == [("", ["tag"])]


def test_message_that_cannot_be_struck_off_takes_no_place(qos):
    qos.channel.error = redis.TimeoutError()
    qos.ack("tag")
    assert (qos.can_consume(), qos.held()) == (True, set())


@pytest.mark.parametrize("requeue", [False, True])
def test_rejected_message_takes_no_place_even_if_redis_fails(qos, requeue):
    qos.channel.error = redis.TimeoutError()
    with pytest.raises(redis.TimeoutError):
        qos.reject("tag", requeue)
    assert (qos.can_consume(), qos.held()) == (True, set())
