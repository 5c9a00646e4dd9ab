"""Faults of the network are told in words for people."""

import socket
import ssl
import struct

import pytest
import requests
import urllib3
from tiny_server import tiny_server

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


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (b"", "Connection aborted: Remote end closed connection without response"),
        (None, "Connection aborted: Connection reset by peer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "Connection broken: 3 bytes came, 6 more were expected"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "Connection broken: it has a chunk of no length",
        ),
    ],
)
def test_a_connection_that_breaks_is_told_in_plain_words(response, words):
    def send(connection: socket.socket) -> None:
        if response is None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset
        else:
            connection.sendall(response)

    with tiny_server(lambda _: send) as server:
        assert told_by(server.url) == words


def test_what_keeps_a_proxy_from_its_work_is_told_in_plain_words():
    refused = ConnectionRefusedError(111, "Connection refused")
    proxy = urllib3.exceptions.ProxyError("Unable to connect to proxy", refused)
    assert describe_fault(requests.exceptions.ProxyError(proxy)) == "Unable to connect to proxy: Connection refused"
    certificate = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed (_ssl.c:1000)")
    fault = requests.exceptions.SSLError(urllib3.exceptions.SSLError(certificate))
    assert describe_fault(fault) == "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed"


def test_other_words_stay():
    error = requests.exceptions.ChunkedEncodingError(urllib3.exceptions.ProtocolError("it broke"))
    assert describe_fault(error) == "it broke"
