import asyncio
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from actorline.api_keys import ApiKey, KeyRing, name_in
from actorline.errors import Code, Refused
from actorline.gateway import authentication as admission
from actorline.gateway.authentication import (
    KEY_LOOK_UP_SECS,
    KEYS_FRESH_SECS,
    LOCAL,
    OPERATOR,
    Authenticator,
    Grant,
)
from actorline.gateway.local_user import user_of
from actorline.jobs.rights import Rights, Scope
from actorline.secret_digest import digest

SECRET = "actorline_reader_" + "x" * 43


def request_with(**headers: str) -> Request:
    given = {"host": "localhost", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Request({"type": "http", "headers": [(name.encode(), value.encode()) for name, value in given.items()]})


@pytest.fixture
def keys(monkeypatch) -> list[ApiKey]:
    """What the ledger holds."""
    keys: list[ApiKey] = []

    def ring(_: Any) -> KeyRing:
        return KeyRing({key.name: key for key in keys}, was_used=bool(keys))

    monkeypatch.setattr(admission, "read_keys", ring)
    return keys


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def note(tmp_path) -> Path:
    return tmp_path / "http-needs-a-key"


@pytest.fixture
def authenticator(keys, clock, note) -> Authenticator:
    ledger: Any = None
    return Authenticator(ledger, None, may_be_open=True, note=note, clock=lambda: clock[0])


def admit(authenticator: Authenticator, request: Request) -> Grant:
    return asyncio.run(authenticator.admit(request))


def assert_needs_a_key(authenticator: Authenticator, request: Request) -> None:
    with pytest.raises(Refused) as caught:
        admit(authenticator, request)
    assert caught.value.reason.code is Code.AUTH


def reader() -> ApiKey:
    return ApiKey(
        name="reader",
        sha256=digest(SECRET),
        scopes=frozenset({Scope.READ}),
        accounts=frozenset({"Default"}),
        created_at=0,
    )


def test_a_key_opens_what_it_is_for(authenticator, keys):
    keys.append(reader())
    grant = admit(authenticator, request_with(authorization=f"Bearer {SECRET}"))
    assert grant == Grant(Rights(scopes=frozenset({Scope.READ}), accounts=frozenset({"default"})), "reader")
    assert (grant.sees("DEFAULT"), grant.sees("other")) == (True, False)


def test_keys_are_looked_up_once_a_second_and_a_new_one_at_once(authenticator, keys, clock):
    assert admit(authenticator, request_with()) == LOCAL
    keys.append(reader())
    clock[0] += KEYS_FRESH_SECS / 2
    admit(authenticator, request_with(authorization=f"Bearer {SECRET}"))
    keys.clear()
    clock[0] += KEYS_FRESH_SECS / 2
    admit(authenticator, request_with(authorization=f"Bearer {SECRET}"))  # not yet known to be revoked
    clock[0] += KEYS_FRESH_SECS
    with pytest.raises(Refused) as caught:
        admit(authenticator, request_with(authorization=f"Bearer {SECRET}"))
    assert caught.value.reason.code is Code.AUTH


def test_a_key_made_right_after_a_look_up_opens_at_once(authenticator, keys, clock):
    assert admit(authenticator, request_with()) == LOCAL
    keys.append(reader())
    clock[0] += KEY_LOOK_UP_SECS / 5
    assert admit(authenticator, request_with(authorization=f"Bearer {SECRET}")).holder == "reader"


def test_a_key_made_during_a_look_up_opens_at_once(authenticator, keys, monkeypatch):
    """The look-up that is under way began before the key was there, so it proves nothing."""

    async def ask_twice() -> Grant:
        asked, made = threading.Event(), threading.Event()

        def ring(_: Any) -> KeyRing:
            found = KeyRing({key.name: key for key in keys}, was_used=bool(keys))
            asked.set()
            made.wait(10)
            return found

        monkeypatch.setattr(admission, "read_keys", ring)
        first = asyncio.create_task(authenticator.admit(request_with()))
        await asyncio.to_thread(asked.wait, 10)
        keys.append(reader())
        authenticator.clock = lambda: 101.0
        second = asyncio.create_task(authenticator.admit(request_with(authorization=f"Bearer {SECRET}")))
        await asyncio.sleep(0)
        made.set()
        await first
        return await second

    assert asyncio.run(ask_twice()).holder == "reader"


@pytest.mark.parametrize(("bootstrap", "may_be_open"), [(SecretStr("b" * 32), True), (None, False)])
def test_without_a_key_only_a_door_that_may_be_open_is(keys, note, bootstrap, may_be_open):
    ledger: Any = None
    assert_needs_a_key(Authenticator(ledger, bootstrap, may_be_open, note), request_with())


def test_an_open_door_closes_for_good_with_the_first_key(authenticator, keys, clock, note):
    ledger: Any = None
    assert admit(authenticator, request_with()) == LOCAL
    keys.append(reader())
    clock[0] += 2 * KEYS_FRESH_SECS
    assert_needs_a_key(authenticator, request_with())
    keys.clear()  # as after FLUSHALL: not even a note of the key is left in Redis
    clock[0] += 2 * KEYS_FRESH_SECS
    assert_needs_a_key(authenticator, request_with())
    assert_needs_a_key(Authenticator(ledger, None, may_be_open=True, note=note), request_with())


@pytest.mark.parametrize(
    "header",
    [
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "x-forwarded-proto",
        "Via",
        "X-Real-IP",
        "CF-Connecting-IP",
        "X-Original-Forwarded-For",
    ],
)
def test_a_request_through_a_proxy_needs_a_key(authenticator, header):
    assert_needs_a_key(authenticator, request_with(**{header.lower(): "anything"}))


def test_an_old_protocol_as_proxies_speak_it_needs_a_key(authenticator):
    request = request_with()
    request.scope["http_version"] = "1.0"
    assert_needs_a_key(authenticator, request)


def test_a_program_of_another_user_needs_a_key(authenticator, monkeypatch):
    request = request_with()
    request.scope.update(client=("127.0.0.1", 1), server=("127.0.0.1", 2))
    for user, is_let_in in ((None, True), (0, True), (1234, False)):
        monkeypatch.setattr(admission, "user_of", lambda *_, user=user: user)
        monkeypatch.setattr(admission.os, "getuid", lambda: 1000)
        if is_let_in:
            assert admit(authenticator, request) == LOCAL
        else:
            assert_needs_a_key(authenticator, request)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says whose a connection is")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernel_says_whose_a_connection_is(host):
    code = (
        "import os, socket, sys; 'x'.encode('idna'); os.setuid(int(sys.argv[3]));"
        "socket.create_connection((sys.argv[1], int(sys.argv[2]))).recv(1)"
    )
    mine = os.getuid()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        listener.settimeout(60)
        users = [mine, 65534] if mine == 0 else [mine]
        for user in users:
            command = [sys.executable, "-I", "-c", code, host, str(listener.getsockname()[1]), str(user)]
            with subprocess.Popen(command) as program:
                connection, peer = listener.accept()
                with connection:
                    assert user_of(peer[:2], connection.getsockname()[:2]) == user
                    connection.sendall(b"x")
                assert program.wait(60) == 0


def test_the_operators_key_opens_everything(keys, note):
    ledger: Any = None
    authenticator = Authenticator(ledger, SecretStr("b" * 32), may_be_open=False, note=note)
    assert admit(authenticator, request_with(authorization="Bearer " + "b" * 32)) == OPERATOR


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
