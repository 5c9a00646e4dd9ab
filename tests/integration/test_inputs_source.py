"""A source of inputs on somebody's server: all of it or nothing, and a slow one keeps no page waiting."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from real_parts import running_line, wait_for

from actorline.batches.advance import stop_batch
from actorline.batches.batch import load_batch
from actorline.batches.inputs import source
from actorline.batches.inputs.source import UnreadableSource, copy_source
from actorline.jobs.job import StopWish
from actorline.settings import load_settings

pytestmark = pytest.mark.thorough

LINES = b'{"n":1}\n{"n":2}\n'
LENGTH = b"Content-Length: %d\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"


class RawServer:
    """Writes the same bytes to each caller, and hangs up; `is_silent`: it never does, however long they wait; `drips`:
    it goes on writing a byte now and then.
    """

    def __init__(self, response: bytes, *, is_silent: bool = False, drips: bool = False) -> None:
        self.callers: list[socket.socket] = []
        self._response, self._is_silent, self._drips = response, is_silent or drips, drips
        self._is_closed = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/inputs.jsonl"
        self._threads = [threading.Thread(target=work) for work in (self._serve, self._drip)]
        for thread in self._threads:
            thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._socket.accept()
                self.callers.append(caller)
                caller.recv(65_536)
                caller.sendall(self._response)
                if not self._is_silent:
                    caller.shutdown(socket.SHUT_WR)

    def _drip(self) -> None:
        while self._drips and not self._is_closed.wait(0.5):
            for caller in list(self.callers):
                with suppress(OSError):
                    caller.sendall(b" ")

    def hang_up(self) -> None:
        for each in self.callers:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._is_closed.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._socket, *self.callers):
            each.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    with ExitStack() as servers:
        yield lambda raw, **options: servers.enter_context(closing(RawServer(raw, **options)))


def response(headers: bytes, body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\n" + headers + b"\r\n" + body


def copied(server: RawServer, tmp_path, keep_alive=lambda: None) -> bytes:
    taken: list[bytes] = []
    settings = load_settings(home=tmp_path, input_hosts=["127.0.0.1"])
    copy_source(server.url, settings, take=taken.append, keep_alive=keep_alive)
    return b"".join(taken)


WHOLE = {
    "length": response(LENGTH % len(LINES), LINES),
    "chunked": response(CHUNKED, b"10\r\n" + LINES + b"\r\n0\r\n\r\n"),
    "gzip": response(LENGTH % len(gzip.compress(LINES)) + b"Content-Encoding: gzip\r\n", gzip.compress(LINES)),
}

NOT_WHOLE = {
    "shorter-than-it-said": (response(LENGTH % (len(LINES) + 8), LINES), "broke before the end", True),
    "last-chunk-missing": (response(CHUNKED, b"10\r\n" + LINES + b"\r\n"), "broke before the end", True),
    "no-length": (response(b"", LINES), "doesn't say how long its response is", False),
    "gone": (response(LENGTH % 0, b"", status=b"404 Not Found"), "responded with status 404", False),
    "broken": (response(LENGTH % 0, b"", status=b"503 Busy"), "responded with status 503", True),
}


@pytest.mark.parametrize("name", WHOLE)
def test_source_is_read_to_its_end(serve, tmp_path, name):
    assert copied(serve(WHOLE[name]), tmp_path) == LINES


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_source_that_ends_in_the_middle_is_no_list_of_inputs(serve, tmp_path, name):
    raw, said, may_pass = NOT_WHOLE[name]
    with pytest.raises(UnreadableSource, match=said) as raised:
        copied(serve(raw), tmp_path)
    assert raised.value.may_pass is may_pass


def test_worker_that_stops_waits_for_no_silent_source(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "SERVER_SILENCE_SECS", 120)
    server = serve(response(LENGTH % 100, LINES), is_silent=True)

    def stop() -> None:
        if server.callers:
            raise InterruptedError

    began = time.monotonic()
    with pytest.raises(InterruptedError):
        copied(server, tmp_path, keep_alive=stop)
    assert time.monotonic() - began < 60


def test_pages_find_a_thread_while_sources_are_slow(serve, valkey, emulator, tmp_path):
    slow = serve(response(LENGTH % 100_000, LINES), drips=True)  # never silent for so long that it is left
    options = {"input_hosts": "127.0.0.1", "fetch_concurrency": "4"}
    with running_line(valkey, emulator, tmp_path / "slow", "slow-sources", **options) as line:
        for number in range(6):
            document = {"key": f"slow-{number}", "template": {"actor": "demo/none"}, "inputs_url": slow.url}
            line.client.send_task("actorline.batch", [document], queue=line.namespace)
        wait_for(lambda: slow.callers, what="a source that is being read")
        actor = emulator.actor("beside-slow-sources", items=3, duration_secs=0)
        result = line.submit({"actor": actor, "poll_interval_secs": 1}).get(timeout=120)
        assert result["items"] == 3
        assert len(slow.callers) == 1, "a thread of four may read a source"
        slow.hang_up()


def test_cancel_ends_the_reading_of_a_source_that_drips(serve, valkey, emulator, tmp_path):
    source = serve(response(LENGTH % 100_000, LINES), drips=True)
    with running_line(valkey, emulator, tmp_path / "drip", "drip", input_hosts="127.0.0.1") as line:
        document = {"key": "dripping", "template": {"actor": "demo/none"}, "inputs_url": source.url}
        line.client.send_task("actorline.batch", [document], queue=line.namespace)
        wait_for(lambda: source.callers, what="the source to be read")
        assert stop_batch(line.ledger, "dripping", StopWish.CANCEL)
        wait_for(lambda: (batch := load_batch(line.ledger, "dripping")) and batch.is_terminal, what="the batch's end")
        assert load_batch(line.ledger, "dripping").state == "CANCELLED"
