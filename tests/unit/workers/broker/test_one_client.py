"""A kombu channel keeps its Redis client as long as its pool."""

from types import SimpleNamespace

import pytest

from workers.broker.one_client import Channel


@pytest.fixture
def channel():
    """A channel without a connection: its clients belong to a pool that may be dropped."""
    channel = object.__new__(Channel)
    channel._pool = SimpleNamespace(connection_kwargs={})
    channel._async_pool = SimpleNamespace(connection_kwargs={})
    channel.Client = lambda connection_pool: SimpleNamespace(connection_pool=connection_pool)
    yield channel
    channel._pool = channel._async_pool = None


def test_every_command_of_a_channel_has_the_same_client(channel):
    with channel.conn_or_acquire() as one, channel.conn_or_acquire() as other:
        assert one is other


def test_a_dropped_pool_takes_its_client_along(channel):
    before = channel._create_client()
    channel._pool = SimpleNamespace(connection_kwargs={})
    after = channel._create_client()
    assert (after is before, after.connection_pool) == (False, channel._pool)


def test_clients_with_a_connection_of_their_own_are_not_shared(channel):
    made = [channel._create_client(asynchronous=True) for _ in range(2)]
    assert made[0] is not made[1]
    assert made[0].connection_pool is channel._async_pool
