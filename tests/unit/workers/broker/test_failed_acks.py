from types import SimpleNamespace

import pytest
import redis

from workers.broker.failed_acks import QoS


class FrozenRedis:
    def pipeline(self):
        return self

    def __getattr__(self, name):
        def command(*_, **__):
            if name in {"execute", "transaction"}:
                raise redis.TimeoutError
            return self

        return command


@pytest.fixture
def qos():
    """Of a worker with room for one message, which it has; Redis is frozen."""

    class Channel(SimpleNamespace):
        def conn_or_acquire(self, _=None):
            return self

        def __enter__(self):
            return FrozenRedis()

        def __exit__(self, *_):
            pass

        def run_script(self, *_):
            raise redis.TimeoutError

    channel = Channel(unacked_key="unacked", unacked_index_key="index", do_restore=False)
    qos = QoS(channel, prefetch_count=1)
    qos._quick_append("tag", "message")
    assert not qos.can_consume()
    yield qos
    qos._on_collect.cancel()


@pytest.mark.parametrize("end", [QoS.ack, QoS.reject, lambda qos, tag: qos.reject(tag, requeue=True)])
def test_message_whose_acknowledgement_fails_takes_no_place(qos, end):
    with pytest.raises(redis.TimeoutError):
        end(qos, "tag")
    assert qos.can_consume()
    assert set(qos._delivered) - set(qos._dirty) == set()
