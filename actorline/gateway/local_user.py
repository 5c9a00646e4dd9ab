"""The user who owns a loopback connection, as Linux reports it (sock_diag(7))."""

import socket
import struct
from typing import Final

SOCK_DIAG: Final = 4  # NETLINK_SOCK_DIAG
BY_FAMILY: Final = 20  # SOCK_DIAG_BY_FAMILY
ANY_STATE: Final = 0xFFFFFFFF
ANY_COOKIE: Final = b"\xff" * 8
HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
REQUEST: Final = struct.Struct("=BBBxI")  # inet_diag_req_v2: family, protocol, extensions, states
ADDRESSES: Final = struct.Struct("!HH16s16sI8s")  # inet_diag_sockid: ports, addresses, interface, cookie
OWNER: Final = struct.Struct("=4x48x12xI")  # inet_diag_msg, as far as its uid

Address = tuple[str, int]


def user_of(client: Address, server: Address) -> int | None:
    """Return the uid of the process that connected from `client` to us; None if the system doesn't report it."""
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    hosts = [socket.inet_pton(family, host).ljust(16, b"\0") for host, _ in (client, server)]
    body = REQUEST.pack(family, socket.IPPROTO_TCP, 0, ANY_STATE)
    body += ADDRESSES.pack(client[1], server[1], *hosts, 0, ANY_COOKIE)
    head = HEADER.pack(HEADER.size + len(body), BY_FAMILY, 1, 1, 0)  # flag 1: a request
    try:
        with socket.socket(getattr(socket, "AF_NETLINK", -1), socket.SOCK_DGRAM, SOCK_DIAG) as kernel:
            kernel.settimeout(1)
            kernel.send(head + body)
            reply = kernel.recv(4096)
    except OSError:
        return None
    _, kind, *_ = HEADER.unpack_from(reply)
    return int(OWNER.unpack_from(reply, HEADER.size)[0]) if kind == BY_FAMILY else None
