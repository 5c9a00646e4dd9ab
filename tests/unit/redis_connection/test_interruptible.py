"""Ctrl-C may come while a command is packed."""

import subprocess
import sys

import pytest
from redis.exceptions import DataError

from actorline.ledger.store import connect

INTERRUPTED = """
{pool}
import hiredis, signal, sys

pack = hiredis.pack_command

def pack_interrupted(command):
    signal.setitimer(signal.ITIMER_REAL, 0.005)
    return pack(command)

hiredis.pack_command = pack_interrupted
signal.signal(signal.SIGALRM, lambda *_: sys.exit(5))
pool.make_connection().pack_command("RPUSH", "key", *range(500_000))
signal.pause()
"""
LEDGER = "from actorline.ledger.store import connect; pool = connect({!r}).connection_pool"
BROKER = """
from types import SimpleNamespace
from kombu.transport import redis
from workers.broker import fair_turns
redis.Channel._connparams = lambda *_: {{"host": "127.0.0.1", "port": 1, "db": 0, "connection_class": {connections}}}
channel = object.__new__(fair_turns.{channel})
channel._in_poll, channel._pool, channel.master_name = None, None, "m"
channel.connection = SimpleNamespace(client=SimpleNamespace(alt=[]))
pool = channel._get_pool(asynchronous={asynchronous})
"""
POOLS = {
    "ledger": LEDGER.format("redis://127.0.0.1:1/0"),
    "socket": LEDGER.format("redis+socket:///nowhere/s"),
    "sentinels": LEDGER.format("sentinel://127.0.0.1:1/0?master=m"),
    "broker": BROKER.format(channel="Channel", connections="redis.redis.Connection", asynchronous=False),
    "wait for messages": BROKER.format(channel="Channel", connections="redis.redis.Connection", asynchronous=True),
    "broker of sentinels": BROKER.format(
        channel="SentinelChannel", connections="fair_turns.PrimaryConnection", asynchronous=False
    ),
}


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
def test_signal_while_numbers_are_packed_ends_the_process_in_order(pool):
    command = [sys.executable, "-W", "ignore", "-c", INTERRUPTED.format(pool=pool)]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (5, b"")


def test_commands_are_packed_as_redis_reads_them():
    connection = connect("redis://127.0.0.1:1/0").connection_pool.make_connection()
    packed = b"".join(connection.pack_command("EVALSHA", "ü", 2, 0.1, 1e300, b"\0", -7))
    assert packed == (
        b"*7\r\n$7\r\nEVALSHA\r\n$2\r\n\xc3\xbc\r\n$1\r\n2\r\n$3\r\n0.1\r\n$6\r\n1e+300\r\n$1\r\n\0\r\n$2\r\n-7\r\n"
    )
    with pytest.raises(DataError):
        connection.pack_command("SET", "key", None)
