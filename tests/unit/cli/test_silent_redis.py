"""A command in front of a Redis that is frozen says so soon: a person is waiting."""

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
