"""What `doctor` says where the platform refuses a token or doesn't respond, and where Redis doesn't."""

import pytest

from actorline.cli.administration import doctor
from actorline.cli.administration.doctor import _findings, _fix
from actorline.errors import Code, Unavailable
from actorline.platform.errors import AuthFailed, Forbidden, MissingLibrary, PlatformUnavailable
from actorline.settings import Settings


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PlatformUnavailable("no response"), "Is the platform reachable from here? Check ACTORLINE_API_URL"),
        (AuthFailed("no user has this token"), "Is the token right? Set ACTORLINE_ACCOUNTS__SHOP"),
        (Forbidden("not allowed"), "The token may do too little"),
        (MissingLibrary("socks"), "Install PySocks"),
    ],
)
def test_only_a_refused_token_is_doubted(error, words):
    assert _fix(error, "shop").startswith(words)


def test_without_redis_servers_are_looked_at_and_no_order_is_ok(monkeypatch, tmp_path):
    def attach(*_: object, **__: object) -> None:
        raise Unavailable(Code.REDIS_UNAVAILABLE, "Redis can't be used: it does not respond in time.")

    monkeypatch.setattr(doctor, "attach", attach)
    monkeypatch.setattr(doctor, "servers_of_running", lambda _: ("http://127.0.0.1:1", "http://127.0.0.1:1"))
    found = {finding.subject: finding for finding in _findings(Settings(home=tmp_path))}
    assert {"redis", "gateway", "flower"} <= found.keys()
    assert "order" not in found
    assert "nothing is known of workers" in found["redis"].fix
