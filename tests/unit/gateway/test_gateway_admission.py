import asyncio
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from actorline.api_keys import ApiKey, Scope, digest, name_in
from actorline.errors import Code, Refused
from actorline.gateway import admission
from actorline.gateway.admission import EVERYTHING, FRESH_SECS, Doorkeeper, Grant, is_loopback

SECRET = "actorline_reader_" + "x" * 43


def request_with(**headers: str) -> Request:
    given = {"host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request({"type": "http", "headers": [(name.encode(), value.encode()) for name, value in given.items()]})


@pytest.fixture
def keys(monkeypatch) -> list[ApiKey]:
    """What the ledger holds."""
    keys: list[ApiKey] = []
    monkeypatch.setattr(admission, "list_keys", lambda _: list(keys))
    return keys


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def doorkeeper(keys, clock) -> Doorkeeper:
    ledger: Any = None
    return Doorkeeper(ledger, None, is_loopback=True, clock=lambda: clock[0])


def admit(doorkeeper: Doorkeeper, request: Request) -> Grant:
    return asyncio.run(doorkeeper.admit(request))


def reader() -> ApiKey:
    return ApiKey(
        name="reader",
        sha256=digest(SECRET),
        scopes=frozenset({Scope.READ}),
        accounts=frozenset({"Default"}),
        created_at=0,
    )


def test_a_key_opens_what_it_is_for(doorkeeper, keys):
    keys.append(reader())
    grant = admit(doorkeeper, request_with(authorization=f"Bearer {SECRET}"))
    assert grant == Grant(frozenset({Scope.READ}), frozenset({"default"}))
    assert (grant.sees("DEFAULT"), grant.sees("other")) == (True, False)


def test_keys_are_looked_up_once_a_second_and_a_new_one_at_once(doorkeeper, keys, clock):
    assert admit(doorkeeper, request_with()) == EVERYTHING
    keys.append(reader())
    clock[0] += FRESH_SECS / 2
    admit(doorkeeper, request_with(authorization=f"Bearer {SECRET}"))
    keys.clear()
    clock[0] += FRESH_SECS / 2
    admit(doorkeeper, request_with(authorization=f"Bearer {SECRET}"))  # not yet known to be revoked
    clock[0] += FRESH_SECS / 2
    with pytest.raises(Refused) as caught:
        admit(doorkeeper, request_with(authorization=f"Bearer {SECRET}"))
    assert caught.value.reason.code is Code.AUTH


@pytest.mark.parametrize(("bootstrap", "loopback"), [(SecretStr("b" * 32), True), (None, False)])
def test_without_a_key_the_door_is_open_only_on_loopback_and_while_there_is_none(keys, bootstrap, loopback):
    ledger: Any = None
    with pytest.raises(Refused) as caught:
        admit(Doorkeeper(ledger, bootstrap, is_loopback=loopback), request_with())
    assert caught.value.reason.code is Code.AUTH


def test_the_operators_key_opens_everything(keys):
    ledger: Any = None
    doorkeeper = Doorkeeper(ledger, SecretStr("b" * 32), is_loopback=False)
    assert admit(doorkeeper, request_with(authorization="Bearer " + "b" * 32)) == EVERYTHING


@pytest.mark.parametrize(
    ("secret", "name"),
    [
        (SECRET, "reader"),
        ("actorline_a-b_c_d", "a-b"),
        ("x_reader_y", ""),
        ("", ""),
        ("actorline", ""),
        ("actorline__", ""),
    ],
)
def test_a_key_carries_its_name(secret, name):
    assert name_in(secret) == name


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True), ("0.0.0.0", False), ("::", False),
     ("192.0.2.1", False), ("example.com", False), ("localhost.example.com", False)],
)  # fmt: skip
def test_what_is_loopback(host, is_local):
    assert is_loopback(host) is is_local
