"""The connection to Redis."""

from redis.utils import HIREDIS_AVAILABLE

from actorline.ledger.store import connect


def test_replies_of_redis_are_parsed_in_c():
    pool = connect("redis://127.0.0.1:1").connection_pool
    parser = pool.connection_class(**pool.connection_kwargs)._parser
    assert HIREDIS_AVAILABLE
    assert "Hiredis" in type(parser).__name__
