"""Faults of the network are told in words for people."""

import socket

import pytest
import requests
import urllib3

from actorline.platform.describe import describe_fault


def told_by(url: str) -> str:
    with pytest.raises(requests.RequestException) as caught:
        requests.get(url, timeout=(5, 0.2))
    return describe_fault(caught.value)


def test_a_silent_server_is_told_with_the_seconds():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert told_by(f"http://127.0.0.1:{port}") == f"127.0.0.1:{port}: Read timed out after 0.2 s"


def test_a_closed_port_is_told_without_error_numbers():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    words = f"127.0.0.1:{port}: Failed to establish a new connection: Connection refused"
    assert told_by(f"http://127.0.0.1:{port}") == words


def test_other_words_stay():
    error = requests.exceptions.ChunkedEncodingError(urllib3.exceptions.ProtocolError("it broke"))
    assert describe_fault(error) == "it broke"
