"""An input of any type that lies elsewhere: the worker reads it just before the start, within bounds."""

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from real_parts import TOKEN, reason_of, running_line, serving, wait_for

from actorline.jobs.document.parse import MAX_INPUT_BYTES

QUICK = {"poll_interval_secs": 1}
CSV = b"url\nhttps://example.com/\xc3\xbc\n\xff\x00"


class Shelf:
    """Somebody's HTTP server: path -> (status, headers, body); `asked` are the paths that were asked for."""

    def __init__(self) -> None:
        self.things: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                shelf.asked.append(path)
                status, headers, body = shelf.things.get(path, (404, {}, b""))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def put(self, path: str, body: bytes, *, status: int = 200, **headers: str) -> str:
        self.things[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        return f"{self.url}{path}?signature=sesame"


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf()
    with serving(shelf.server):
        yield shelf


@pytest.fixture(scope="module")
def reading_line(valkey, emulator, tmp_path_factory):
    """A line that may read inputs from this machine."""
    home = tmp_path_factory.mktemp("reading")
    with running_line(valkey, emulator, home, "reading", input_hosts="127.0.0.1") as line:
        yield line


def order(line, key: str, **document: Any):
    actor = line.emulator.actor(key, items=3, duration_secs=0)
    return actor, line.submit({"key": key, "actor": actor, **QUICK, **document})


def starts(line, actor: str) -> int:
    return len(line.emulator.starts(actor))


def input_record(line, result: dict[str, Any]) -> tuple[bytes, str]:
    """The input that the run was given, as the platform keeps it, and its Content-Type."""
    url = f"{line.emulator.url}/v2/key-value-stores/{result['key_value_store_id']}/records/INPUT"
    response = requests.get(url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
    return response.content, response.headers["Content-Type"]


@pytest.mark.parametrize(
    ("said", "wanted", "sent"),
    [
        ("text/csv; charset=utf-8", None, "text/csv; charset=utf-8"),
        ("text/plain", "text/csv", "text/csv"),
        ("rubbish", None, "application/octet-stream"),
    ],
)
def test_run_gets_the_bytes_that_lie_there_under_their_type(reading_line, shelf, said, wanted, sent):
    key = f"typed-{wanted}-{said[:4]}".replace("/", "-")
    document = {"input_url": shelf.put("/in.csv", CSV, Content_Type=said)} | ({"input_type": wanted} if wanted else {})
    result = order(reading_line, key, **document)[1].get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 3)
    assert input_record(reading_line, result) == (CSV, sent)
    assert "sesame" not in json.dumps([result, [entry.data for entry in reading_line.ledger.timeline.entries(key)]])


def test_packed_answer_is_sent_unpacked_and_counted_unpacked(reading_line, shelf):
    packed = {"Content_Type": "application/json", "Content_Encoding": "gzip"}
    good = order(reading_line, "packed", input_url=shelf.put("/good", gzip.compress(b'{"a": 1}'), **packed))[1]
    body, _ = input_record(reading_line, good.get(timeout=120))
    assert body == b'{"a": 1}'
    bomb = gzip.compress(b" " * (MAX_INPUT_BYTES + 1))
    actor, refused = order(reading_line, "bomb", input_url=shelf.put("/bomb", bomb, **packed))
    with pytest.raises(Exception, match="9,437,184") as raised:
        refused.get(timeout=120)
    assert reason_of(raised.value)["code"] == "input-unreadable"
    assert starts(reading_line, actor) == 0


@pytest.mark.parametrize("status", [404, 302, 403])
def test_input_that_is_not_there_ends_the_job_before_its_start(reading_line, shelf, status):
    url = shelf.put("/gone", b"", status=status, Location="/elsewhere")
    actor, sent_order = order(reading_line, f"gone-{status}", input_url=url)
    with pytest.raises(Exception, match=f"responded with status {status}") as raised:
        sent_order.get(timeout=120)
    reason = reason_of(raised.value)
    assert (reason["code"], reason["billed"]) == ("input-unreadable", False)
    assert "sesame" not in raised.value.args[0]
    assert (starts(reading_line, actor), shelf.asked) == (0, ["/gone"])


def test_server_that_fails_for_a_while_is_asked_again(reading_line, shelf):
    actor, sent_order = order(reading_line, "for-a-while", input_url=shelf.put("/late", b"", status=503))
    wait_for(lambda: reading_line.state("for-a-while") == "WAITING", what="a job that waits for its input")
    shelf.put("/late", b"{}", Content_Type="application/json")
    assert sent_order.get(timeout=120)["items"] == 3
    assert starts(reading_line, actor) == 1
    assert len(shelf.asked) >= 2


def test_cut_answer_is_not_taken_for_the_input(reading_line, shelf):
    url = shelf.put("/cut", b'{"urls": ["a', Content_Type="application/json", Content_Length="100")
    actor, sent_order = order(reading_line, "cut", input_url=url)
    wait_for(lambda: reading_line.state("cut") == "WAITING", what="a job that waits for its input")
    assert starts(reading_line, actor) == 0
    reading_line.cancel("cut")
    with pytest.raises(Exception, match="cancelled"):
        sent_order.get(timeout=120)


def test_lost_reply_to_such_a_start_makes_no_second_run(reading_line, shelf, faults):
    url = shelf.put("/once", CSV, Content_Type="text/csv")
    faults({"method": "POST", "path_regex": "/demo~once/runs$", "action": "reset_after"})
    actor, sent_order = order(reading_line, "once", input_url=url)
    assert sent_order.get(timeout=120)["adopted"] is True
    assert (starts(reading_line, actor), len(reading_line.emulator.runs_of(actor))) == (1, 1)


def test_private_address_is_never_asked_unless_listed(line, shelf):
    url = shelf.put("/secret", b"{}")
    _, plain = order(line, "plain-walls", input_url=url)
    with pytest.raises(Exception, match="ACTORLINE_INPUT_HOSTS") as refused:
        plain.get(timeout=120)
    assert type(refused.value).__name__ == "JobRefused"
    actor, hidden = order(line, "walls", input_url=url.replace("127.0.0.1", "2130706433"))  # the same, as a number
    waiting, *_ = wait_for(
        lambda: [entry for entry in line.ledger.timeline.entries("walls") if entry.event == "waiting"], what="a refusal"
    )
    assert "can't be reached, or has no public address" in waiting.data["message"]
    line.cancel("walls")
    with pytest.raises(Exception, match="cancelled"):
        hidden.get(timeout=120)
    assert (shelf.asked, starts(line, actor)) == ([], 0)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"input_url": "ftp://127.0.0.1/x"}, "https://"),
        ({"input_url": "https://user:sesame@127.0.0.1/x"}, "password"),
        ({"input_url": "http://other.example/x"}, "isn't listed"),
        ({"input_url": "http://127.0.0.1/x", "input": {}}, "one of them"),
        ({"input_type": "text/csv"}, "input_url"),
        ({"input_url": "http://127.0.0.1/x", "input_type": "text/csv\r\nX: y"}, "not allowed"),
    ],
)
def test_bad_input_url_is_refused_at_the_door(reading_line, document, problem):
    actor, sent_order = order(reading_line, "refused", **document)
    with pytest.raises(Exception, match=problem) as raised:
        sent_order.get(timeout=120)
    assert type(raised.value).__name__ == "JobRefused"
    assert "sesame" not in raised.value.args[0]
    assert reading_line.ledger.load("refused") is None
    assert starts(reading_line, actor) == 0
