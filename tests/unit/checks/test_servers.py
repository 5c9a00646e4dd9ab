"""What `doctor` says of gateway, Flower and the platform's way in: where they respond, and where they don't."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from actorline.checks import servers
from actorline.checks.servers import check_servers
from actorline.settings import Settings

NOWHERE = "http://127.0.0.1:1"


class Handler(BaseHTTPRequestHandler):
    """A gateway below `/good`, one without its Redis below `/bad`, and a page of somebody else's elsewhere."""

    def do_GET(self) -> None:
        is_good = self.path.startswith("/good")
        statuses = {"good": 200, "open": 200, "closed": 401, "nothing": 404}
        self.send_response(statuses.get(self.path.split("/")[1], 503))
        self.end_headers()
        self.wfile.write(b'{"status":"ok"}' if is_good else b"<html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may keep the server waiting."""
    monkeypatch.setattr(servers, "RESPONSE_SECS", 60)


def judge(subject: str, url: str) -> tuple[bool, str]:
    urls = {"gateway": None, "flower": None, **({subject: url} if subject != "webhooks" else {})}
    (found,) = check_servers(Settings(public_url=url if subject == "webhooks" else None), **urls)
    assert found.subject == subject
    return found.is_good, f"{found.text} {found.fix}"


@pytest.mark.parametrize(
    ("subject", "path", "is_good", "words"),
    [
        ("gateway", "/good", True, "takes orders"),
        ("gateway", "/bad", False, "takes no orders now: HTTP 503"),
        ("gateway", None, False, "logs/gateway.log"),
        ("flower", "/closed", True, "asks for a password"),
        ("flower", "/bad", False, "HTTP 503"),
        ("flower", "/open", False, "Set FLOWER_BASIC_AUTH"),
        ("flower", None, False, "logs/flower.log"),
        ("webhooks", "/good", True, "the gateway is reached"),
        ("flower", "/nothing", False, "HTTP 404"),
        ("webhooks", "/open", False, "leads elsewhere (HTTP 200)"),
        ("webhooks", "/bad", False, "leads elsewhere (HTTP 503)"),
        ("webhooks", "/nothing", True, "isn't known"),  # a proxy that lets nothing but webhooks through
        ("webhooks", None, True, "from outside"),  # only the platform has to reach it
    ],
)
def test_each_server_is_judged_by_what_it_responds(server, subject, path, is_good, words):
    good, said = judge(subject, f"{server}{path}" if path else NOWHERE)
    assert (good, words in said) == (is_good, True)


@pytest.mark.parametrize(("path", "words"), [("/good", "keys create NAME"), ("/bad", "takes no orders now: HTTP 503")])
def test_gateway_whose_keys_were_all_revoked_takes_no_orders(server, path, words):
    (found,) = check_servers(Settings(), gateway=f"{server}{path}", flower=None, is_closed=True)
    assert (found.is_good, words in f"{found.text} {found.fix}") == (False, True)


def test_this_machines_own_servers_need_no_proxy(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert judge("gateway", f"{server}/good")[0]


def test_where_no_server_should_be_none_is_missed():
    assert list(check_servers(Settings(), gateway=None, flower=None)) == []
