"""Services are told of a job's end: over HTTP, signed, at least once with one id; or by a Celery task of their own."""

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from real_parts import running_line, serving, wait_for
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes or so").decode()
QUICK = {"poll_interval_secs": 1}


class Receiver:
    """Somebody's HTTP server; `statuses` are its next ones, then 200."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "0")
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    with serving(receiver.server):
        yield receiver


@pytest.fixture(scope="module")
def notifying_line(valkey, emulator, tmp_path_factory):
    """A line that may tell this machine, and signs what it says."""
    settings = {"notify_hosts": "localhost,127.0.0.1", "notify_secret": SECRET, "notify_tasks": "shop.job_ended@shop"}
    with running_line(valkey, emulator, tmp_path_factory.mktemp("telling"), "telling", **settings) as line:
        yield line


def ordered(line, key: str, **document) -> Callable[[], object]:
    actor = line.emulator.actor(key, items=3, duration_secs=0)
    return line.submit({"key": key, "actor": actor, "input": {"secret": "sesame"}, **QUICK, **document}).get


def test_end_is_told_over_http_signed_with_the_jobs_result(notifying_line, receiver):
    result = ordered(notifying_line, "told", notify={"url": receiver.url})(timeout=120)
    wait_for(lambda: receiver.got, what="the notice")
    headers, body = receiver.got[0]
    event = Webhook(SECRET).verify(body, headers)
    assert (event["type"], event["data"]) == ("job.delivered", result)
    assert event["id"] == headers["webhook-id"]
    assert b"sesame" not in body
    wait_for(lambda: notifying_line.ledger.load("told").notice.url_told, what="the end of the telling")
    assert len(receiver.got) == 1


def test_end_of_a_batch_is_told_once_for_all_its_members(notifying_line, receiver):
    actor = notifying_line.emulator.actor("told-batch", items=3, duration_secs=0)
    document = {"template": {"actor": actor}, "inputs": [{}, {}], "notify": {"url": receiver.url}}
    result = notifying_line.client.send_task("actorline.batch", [document], queue="telling").get(timeout=120)
    wait_for(lambda: receiver.got, what="the notice")
    event = Webhook(SECRET).verify(receiver.got[0][1], receiver.got[0][0])
    assert (event["type"], event["data"]) == ("batch.delivered", result)
    wait_for(lambda: "url-told" in notifying_line.events(result["key"]), what="the end of the telling")
    assert len(receiver.got) == 1


@pytest.mark.thorough
def test_notice_that_is_not_taken_comes_again_with_the_same_id(notifying_line, receiver):
    receiver.statuses = [500, 302]
    ordered(notifying_line, "told-again", notify={"url": receiver.url})(timeout=120)
    wait_for(lambda: len(receiver.got) == 3, within=120, what="the third notice")
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert wait_for(lambda: notifying_line.ledger.load("told-again").notice.url_told, what="the end of the telling")
    messages = [
        entry.data["message"]
        for entry in notifying_line.ledger.timeline.entries("told-again")
        if "notify" in entry.event
    ]
    assert messages == ["the receiver responded with status 500", "the receiver responded with status 302"]


def test_private_address_is_never_called_unless_listed(line, receiver):
    port = receiver.server.server_port
    ordered(line, "not-told", notify={"url": f"http://2130706433:{port}/hook"})(timeout=120)  # 127.0.0.1 as a number
    entry, *_ = wait_for(
        lambda: [entry for entry in line.ledger.timeline.entries("not-told") if entry.event == "notify-failed"],
        what="the failed notice",
    )
    assert "ACTORLINE_NOTIFY_HOSTS" in entry.data["message"]
    assert receiver.got == []


def test_end_is_told_by_a_celery_task_in_the_services_own_queue(notifying_line):
    ordered(notifying_line, "told-by-task", notify={"task": "shop.job_ended", "queue": "shop"})(timeout=120)
    with notifying_line.client.connection_for_read() as connection:
        queue = connection.SimpleQueue("shop", no_ack=True)
        message = queue.get(timeout=120)
        queue.close()
    (event,), _, _ = message.payload
    assert message.headers["task"] == "shop.job_ended"
    assert (event["type"], event["data"]["key"]) == ("job.delivered", "told-by-task")
    assert "sesame" not in json.dumps(event)
    wait_for(lambda: notifying_line.ledger.load("told-by-task").notice.task_told, what="the end of the telling")


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/x", "https://user:pass@example.com/", "https://", "https://[::1", "http://other.example/"],
)
def test_url_that_may_get_no_notice_is_refused_at_once(notifying_line, url):
    with pytest.raises(Exception, match="notify") as raised:
        ordered(notifying_line, "refused", notify={"url": url})(timeout=120)
    assert type(raised.value).__name__ == "JobRefused"
    assert json.loads(raised.value.args[0])["reason"]["code"] == "notify-refused"
    assert notifying_line.ledger.load("refused") is None
