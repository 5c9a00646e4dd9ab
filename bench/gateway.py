"""Orders/s that the HTTP gateway takes on one core, and how long each waits for its 202; see bench/README.md.

The gateway has one core to itself, Valkey and the load share the other. No worker runs: only the gateway is measured.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from stand import LOOK_SECS, START_SECS, Meter

from actorline.ledger.ledger import Ledger
from actorline.ledger.store import connect
from workers.stack import find_valkey

GATEWAY_CORE: Final = {0}
OTHER_CORE: Final = {1}
VALKEY_CONF: Final = Path(__file__).parents[1] / "config" / "valkey.conf"
ORDER: Final = {
    "actor": "apify/web-scraper",
    "input": {"startUrls": [{"url": "https://example.com"}], "maxPagesPerCrawl": 10},
    "labels": {"team": "prices"},
}
HEAD: Final = (
    b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


@dataclass(frozen=True)
class Target:
    port: int
    gateway_pid: int
    valkey_pid: int
    ledger: Ledger


@contextmanager
def standing() -> Iterator[Target]:
    """Valkey as the embedded stack configures it, and the gateway; taken down at the end."""
    with tempfile.TemporaryDirectory(prefix="al-") as folder:
        home, socket = Path(folder), Path(folder) / "s"
        broker = f"redis+socket://{socket}"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("ACTORLINE_", "APIFY_"))},
            "ACTORLINE_HOME": folder,
            "ACTORLINE_REDIS_URL": broker,
            "ACTORLINE_QUOTAS__OPEN_JOBS": "10000000",
            "ACTORLINE_QUOTAS__ORDERS_PER_MINUTE": "10000000",
        }
        valkey_command = [find_valkey(), str(VALKEY_CONF), "--dir", folder, "--unixsocket", str(socket)]
        gateway_command = [sys.executable, "-P", "-m", "actorline.gateway", "--port", "0"]
        log = home / "gateway.log"
        with subprocess.Popen(valkey_command, stdout=subprocess.DEVNULL) as valkey, log.open("wb") as errors:
            os.sched_setaffinity(valkey.pid, OTHER_CORE)
            wait_for(socket.exists)
            with subprocess.Popen(gateway_command, env=environment, cwd=folder, stderr=errors) as gateway:
                os.sched_setaffinity(gateway.pid, GATEWAY_CORE)
                wait_for(lambda: b"listening" in log.read_bytes())
                port = number_in(log.read_bytes(), rb"127\.0\.0\.1:(\d+)")
                try:
                    yield Target(
                        port, gateway.pid, valkey.pid, Ledger(connect(broker + "?virtual_host=2"), "actorline")
                    )
                finally:
                    gateway.terminate()
                    gateway.wait()
                    valkey.terminate()


def number_in(text: bytes, pattern: bytes) -> int:
    found = re.search(pattern, text)
    assert found
    return int(found[1])


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_SECS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("Valkey or the gateway did not start.")
        time.sleep(LOOK_SECS)


class Load(asyncio.Protocol):
    """One connection that orders again and again: the least work that a client can have, so that it isn't measured."""

    wanted_status = b"202"

    def __init__(self) -> None:
        self._response: asyncio.Future[None] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    async def send(self) -> None:
        """Send one request and wait for its response."""
        self._response = asyncio.get_running_loop().create_future()
        self._transport.write(self.request())
        await self._response

    def request(self) -> bytes:
        return post(b"/v1/jobs", {"key": str(uuid.uuid4()), **ORDER})

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if end and len(body) >= number_in(head, rb"content-length: (\d+)"):
            self._buffer = b""
            if not head.startswith(b"HTTP/1.1 " + self.wanted_status):
                raise SystemExit((head + body).decode())
            assert self._response
            self._response.set_result(None)


def post(path: bytes, body: object, *headers: bytes) -> bytes:
    text = json.dumps(body).encode()
    length = b"Content-Length: %d" % len(text)
    lines = (b"POST %s HTTP/1.1" % path, b"Host: localhost", b"Content-Type: application/json", length, *headers)
    return b"\r\n".join((*lines, b"", text))


async def connections(port: int, count: int, kind: type[Load] = Load) -> list[Load]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(kind, "127.0.0.1", port))[1] for _ in range(count)]


async def flood(port: int, clients: int, seconds: float) -> list[float]:
    """Let each client order as soon as it has its response; return the waits."""
    deadline, waits = time.monotonic() + seconds, []

    async def one(load: Load) -> None:
        while (began := time.monotonic()) < deadline:
            await load.send()
            waits.append(time.monotonic() - began)

    await asyncio.gather(*(one(load) for load in await connections(port, clients)))
    return waits


async def steady(port: int, clients: int, rate: float, seconds: float, kind: type[Load] = Load) -> list[float]:
    """Orders at even distances, whether or not earlier ones have a response; a wait counts from when it was due."""
    free: asyncio.Queue[Load] = asyncio.Queue()
    for load in await connections(port, clients, kind):
        free.put_nowait(load)
    began, waits = time.monotonic(), []

    async def one(due: float) -> None:
        load = await free.get()
        await load.send()
        free.put_nowait(load)
        waits.append(time.monotonic() - due)

    orders = []
    for number in range(int(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(due - time.monotonic(), 0))
        orders.append(asyncio.create_task(one(due)))
    await asyncio.gather(*orders)
    return waits


def report(target: Target, name: str, load: Coroutine[None, None, list[float]]) -> None:
    meters = {"gateway": Meter(target.gateway_pid), "Valkey": Meter(target.valkey_pid), "load": Meter(os.getpid())}
    began = time.monotonic()
    waits = sorted(asyncio.run(load))
    seconds = time.monotonic() - began
    at = {part: waits[min(int(len(waits) * part), len(waits) - 1)] * 1000 for part in (0.5, 0.99, 1)}
    cpu = ", ".join(f"{meter.cpu_secs() / seconds:.0%}" for meter in meters.values())
    print(
        f"| {name} | {len(waits) / seconds:,.0f} | {at[0.5]:.1f} | {at[0.99]:.1f} | {at[1]:.1f} | {cpu} "
        f"| {meters['gateway'].peak_mbytes():.0f} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rates", type=float, nargs="*", default=[10, 250, 500])
    options = parser.parse_args()
    os.sched_setaffinity(0, OTHER_CORE)
    with standing() as target:
        print("| load | orders/s | median ms | p99 ms | longest ms | CPU: gateway, Valkey, load | peak MB |")
        print("|---|---|---|---|---|---|---|")
        report(target, "(warm-up)", flood(target.port, options.clients, 2))
        report(target, f"{options.clients} clients, no pause", flood(target.port, options.clients, options.seconds))
        for rate in options.rates:
            report(target, f"{rate:g}/s", steady(target.port, options.clients, rate, options.seconds))
