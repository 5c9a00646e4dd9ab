"""Connections are used again without checks, and still nobody gets one that is in use, closed, or another process's."""

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from actorline.ledger.store import connect
from actorline.redis_connection.quick import run_script

pytestmark = pytest.mark.thorough


@pytest.fixture
def client(valkey):
    with connect(valkey) as client:
        yield client


def test_connection_is_used_again(client):
    assert client.client_id() == client.client_id()


def test_commands_at_once_have_connections_of_their_own(client):
    met = Barrier(4, timeout=60)

    def wait(number):
        met.wait()
        return client.eval("return ARGV[1]", 0, number), client.blpop(["nobody-pushes-here"], 0.2)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(wait, range(4))) == [(str(number), None) for number in range(4)]


def test_closed_connection_is_replaced(valkey, client):
    with connect(valkey) as other:
        assert other.client_kill_filter(_id=str(client.client_id())) == 1
    assert client.ping()


def test_forked_process_has_a_connection_of_its_own(client):
    own = client.client_id()
    pid = os.fork()
    if not pid:
        os._exit(client.client_id() == own)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert client.client_id() == own


def test_script_that_the_server_has_forgotten_is_sent_again(client):
    script = client.register_script("return {KEYS[1], ARGV[1]}")
    for _ in range(2):
        assert run_script(client, script, ["a"], ["b"]) == ["a", "b"]
    client.script_flush()
    assert run_script(client, script, ["a"], ["b"]) == ["a", "b"]
