import os
import socket
import sys

import pytest

from actorline.errors import SettingsError
from actorline.host.ports import choose_port, holder_of


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_port_that_is_taken_is_refused_by_name(taken):
    with pytest.raises(SettingsError) as caught:
        choose_port("127.0.0.1", taken, option="--flower-port")
    message = str(caught.value)
    assert f"127.0.0.1:{taken} can't be listened on" in message
    assert "--flower-port 0 for any free one" in message
    if sys.platform == "linux":
        assert f"(pid {os.getpid()}) is already listening there" in message


def test_port_that_is_free_is_kept_and_zero_finds_one(taken):
    free = choose_port("127.0.0.1", 0)
    assert free not in {0, taken}
    assert choose_port("127.0.0.1", free) == free
    assert holder_of(free) is None
