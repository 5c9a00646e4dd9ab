"""Servers that drip, and never end, cost the jobs that name them: neither other jobs, nor other servers' inputs."""

import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from real_parts import Line, running_workers, serving, wait_for

from actorline.batches.batch import load_batch
from actorline.jobs.document.parse import parse_document
from actorline.jobs.states import LIVE, State
from actorline.ledger.admission import outside_places
from actorline.ledger.admission.outside_places import NoPlaceFree, OutsidePlaces, PlaceTaken
from actorline.ledger.batches import BatchChange, NewBatch
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.registration import NewJob
from actorline.ledger.store import connect

QUICK = {"poll_interval_secs": 1}


class Dripping:
    """A server that sends a byte now and then, in its head or its body, until the other side hangs up."""

    def __init__(self, before: bytes) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.open = self.most = 0
        self._before, self._lock = before, threading.Lock()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self._threads.append(threading.Thread(target=self._drip, args=(connection,)))
                self._threads[-1].start()

    def _drip(self, connection: socket.socket) -> None:
        with self._lock:
            self.open += 1
            self.most = max(self.most, self.open)
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(self._before)
            connection.settimeout(0.5)
            while True:
                connection.sendall(b"x")
                with suppress(TimeoutError):
                    if connection.recv(65_536) == b"":
                        break
        with self._lock:
            self.open -= 1

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self._threads:
            thread.join(60)


@pytest.fixture
def dripping() -> Iterator[Callable[[bytes], Dripping]]:
    """Servers that drip after what they sent at once. They hang up when the workers have."""
    made: list[Dripping] = []

    def make(before: bytes) -> Dripping:
        made.append(Dripping(before))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def good_input() -> Iterator[str]:
    """The URL of an input under another host's name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"http://localhost:{server.server_port}/"


HEAD, BODY = b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\n\r\n"


def order(line: Line, key: str, **document: object):
    actor = line.emulator.actor(key, items=3, duration_secs=0)
    return line.submit({"key": key, "actor": actor, **QUICK, **document})


@pytest.mark.thorough
def test_dripping_inputs_hold_up_no_other_job_or_input(own_line, dripping, good_input):
    line = own_line("drips", input_hosts="127.0.0.1,localhost", control_concurrency="2")
    server = dripping(BODY)
    with running_workers(line, "control", "fetch"):
        slow = [order(line, f"slow-{n}", input_url=server.url, labels={"n": str(n)}) for n in range(10)]
        wait_for(lambda: server.open == 2, within=120, what="the places of one host")
        plain = [order(line, f"plain-{n}") for n in range(3)]
        good = order(line, "good", input_url=good_input)
        assert [each.get(timeout=120)["items"] for each in (*plain, good)] == [3] * 4
        wait_for(lambda: sum("input-waits" in line.events(f"slow-{n}") for n in range(10)) == 8, what="those in line")
        assert server.most == 2
        line.cancel("slow-0")
        line.cancel("slow-9")
        for each in (slow[0], slow[9]):
            with pytest.raises(Exception, match="cancelled"):
                each.get(timeout=120)
        assert line.emulator.starts("demo/slow-1") == []
        assert line.ledger.load("slow-1").intent is None


@pytest.mark.thorough
def test_dripping_receivers_cost_no_delivery_one_call_each(own_line, dripping):
    line = own_line("deaf", notify_hosts="127.0.0.1")
    server = dripping(HEAD)
    with running_workers(line, "control", "fetch"):
        results = [order(line, f"told-{n}", notify={"url": server.url}) for n in range(6)]
        assert [each.get(timeout=120)["items"] for each in results] == [3] * 6
        wait_for(lambda: server.open == 2, what="the places of one host")
        for n in range(6):  # the messages of all notices come again
            line.send("actorline.notify", f"told-{n}", queue="fetch")
        assert order(line, "plain").get(timeout=120)["items"] == 3
        assert server.most == 2


class Turns:
    """Places of a ledger of their own."""

    def __init__(self, valkey: str, name: str) -> None:
        self.ledger = Ledger(connect(f"{valkey}?virtual_host=5"), name)
        self.woken: list[str] = []
        self.places = OutsidePlaces(self.ledger, 4, self.woken.extend)

    def let_leases_end(self) -> None:
        name = self.ledger.name("outside_places")
        for key, place in self.ledger.redis.hgetall(name).items():
            till, *holder = place.split("\t")
            ended = float(till) - outside_places.PLACE_LEASE_SECS
            self.ledger.redis.hset(name, key, "\t".join([f"{ended:.3f}", *holder]))

    def job(self, key: str, account: str = "default", host: str = "a.example"):
        url = f"https://{host}/"
        document = parse_document({"key": key, "actor": "a/b", "account": account, "input_url": url})
        self.ledger.register([NewJob(key, document, "file:///x/", fresh=False)], due_in_s=60)
        return self.places.held(self.ledger.load(key), url, execution=f"of-{key}")

    def batch(self, key: str, **fields: object):
        """A place for the notice of a batch that has ended."""
        url = "https://a.example/"
        document = json.dumps({"template": {"actor": "a/b"}, "notify": {"url": url}})
        self.ledger.batches.register(NewBatch(key, document, "hash", "default", "file:///x/", listed=None))
        self.ledger.batches.change(key, BatchChange(to=State.FAILED, fields=fields), states=LIVE)
        return self.places.held_by(key, "default", url, f"of-{key}")


@pytest.fixture
def turns(valkey: str) -> Iterator[Turns]:
    turns = Turns(valkey, f"turns-{secrets.token_hex(4)}")
    yield turns
    turns.ledger.redis.close()


def is_refused(place) -> bool:
    try:
        with place:
            return False
    except NoPlaceFree:
        return True


def test_places_end_per_host_per_account_and_in_all(turns):
    with turns.job("1"), turns.job("2"):
        assert is_refused(turns.job("3"))
        with turns.job("4", host="b.example"):
            assert is_refused(turns.job("5", host="c.example"))
            with turns.job("6", account="other"):
                assert is_refused(turns.job("7", account="third"))
    assert sorted(turns.woken) == ["3", "5", "7"]


def test_free_places_go_to_the_hosts_in_turn(turns):
    with turns.job("1"), turns.job("2"):
        for n in range(4):
            assert is_refused(turns.job(f"a{n}"))
        with turns.job("3", host="b.example"):
            assert is_refused(turns.job("b0", host="b.example"))
            assert turns.woken == []
        assert turns.woken == ["b0"]
    assert turns.woken == ["b0", "a0", "a1"]


def test_second_execution_steps_back(turns):
    url = "https://a.example/"
    with (
        turns.job("1"),
        pytest.raises(PlaceTaken),
        turns.places.held(turns.ledger.load("1"), url, execution="another"),
    ):
        pass


def test_place_of_an_execution_that_died_is_free_soon(turns):
    for dead in (held := [turns.job("1"), turns.job("2")]):
        dead.__enter__()  # and never left: `held` keeps it from being collected
    assert len(held) == 2
    assert is_refused(turns.job("3"))
    turns.let_leases_end()
    assert not is_refused(turns.job("4"))


def test_batch_that_waits_for_a_place_is_called(turns):
    place = turns.batch("many", notice_at=turns.ledger.now() + 600)
    with turns.job("1"), turns.job("2"):
        assert is_refused(place)
    assert turns.woken == ["many"]
    assert load_batch(turns.ledger, "many").notice.due_at is None


def test_batch_that_was_told_meanwhile_is_passed_over(turns):
    place = turns.batch("told", url_told="1")
    with turns.job("1"), turns.job("2"):
        assert is_refused(place)
        assert is_refused(turns.job("next"))
    assert turns.woken == ["next"]


def test_job_that_wants_no_call_any_more_is_passed_over(turns):
    with turns.job("1"), turns.job("2"):
        assert is_refused(turns.job("gone"))
        assert is_refused(turns.job("next"))
        turns.ledger.change("gone", Change(fields={"stop_wish": "cancel"}), epoch=None)
    assert turns.woken == ["next"]
