"""A command says what is missing, and soon: a person is waiting."""

import socket
import time

import pytest

from actorline.cli import attach
from actorline.errors import Unavailable
from actorline.settings import Settings


def test_silent_redis_is_given_up_soon(monkeypatch):
    monkeypatch.setattr(attach, "PING_SECS", 0.3)
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = Settings(redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with pytest.raises(Unavailable, match="does not respond in time"):
            attach.open_ledger(settings, to_order=False)
    assert time.monotonic() - began < 10


def test_container_without_workers_is_not_blamed_on_its_home(tmp_path):
    (tmp_path / "file").touch()
    settings = Settings(redis_url="redis://elsewhere/0", home=tmp_path / "file" / "home")
    with pytest.raises(Unavailable, match=r"No worker replies on this Redis.* Start workers"):
        attach.open_home(settings)
    with pytest.raises(Unavailable, match="Set ACTORLINE_HOME to a writable folder"):
        attach.open_home(Settings(home=tmp_path / "file" / "home"))
