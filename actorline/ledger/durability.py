"""Writes that are on Redis's disk before anything is paid for."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.commands.core import Script
from redis.exceptions import NoScriptError, ResponseError

from actorline.errors import Code, Unavailable
from actorline.logs import Logger
from actorline.redis_connection.one_connection import exchange
from actorline.redis_connection.succession import Succession

WAIT_MS: Final = 5_000  # with `appendfsync everysec` a busy disk may take a second or two; measured: 0.4 ms
KNOWN_SECS: Final = 5.0  # INFO takes longer than a write; whether there is a disk to wait for changes by hand only
OLD_SERVER_WAIT_SECS: Final = 2.0  # before Redis 7.2: `appendfsync everysec` has written what is two seconds old
SMALL_BYTES: Final = 1_000_000  # so much in each of a few seconds changes little
FULL_SHARE: Final = 0.9  # what is left is for cancels, deadlines and the ends of jobs that are there
OLDEST_VERSION: Final = (6, 2)  # the ledger uses ZRANGE ... REV and SMISMEMBER

log = Logger(__name__)


class NotDurable(Exception):
    """Redis can't promise that a write is on its disk, so no paid run may be started."""


@dataclass(frozen=True)
class Server:
    """What the Redis server says of itself. `run_id`: its own, new after each start."""

    run_id: str
    version: tuple[int, ...]
    uptime_s: int
    has_aof: bool
    maxmemory_policy: str
    writes_its_file: bool
    """The append-only file: a full disk ends that, and then Redis accepts no writes."""
    is_replica: bool
    is_cluster: bool
    replicas: int
    """Servers that follow this one, and may be promoted."""
    used_bytes: int
    max_bytes: int
    """`maxmemory`, or else what its machine has; 0: unknown."""
    aof_bytes: int = 0
    clients: int = 0
    hz: int = 0
    valkey_version: str = ""
    """Its own; `version` is that of the Redis which it is compatible with."""

    def is_nearly_full(self, max_bytes: int | None = None, *, more_bytes: int = 0) -> bool:
        """Return whether `more_bytes` would leave little of what it may use: `max_bytes`, or as much as there is."""
        most = min(max_bytes or self.max_bytes, self.max_bytes or max_bytes or 0)
        return most > 0 and self.used_bytes + more_bytes > FULL_SHARE * most

    @property
    def can_wait_for_disk(self) -> bool:
        return self.version >= (7, 2)


def check_server(client: Any) -> None:
    """Raise Unavailable if Redis may forget what it is told: a job's start would be paid for twice."""
    server = read_server(client)
    if server.version < OLDEST_VERSION:
        version, oldest = (".".join(str(part) for part in parts) for parts in (server.version, OLDEST_VERSION))
        raise Unavailable(
            Code.REDIS_UNAVAILABLE,
            f"Redis is too old: {version}. Nothing was started. Use {oldest} or newer, or Valkey.",
        )
    if server.is_cluster:
        raise Unavailable(
            Code.REDIS_UNAVAILABLE,
            "This is a Redis Cluster, which spreads a job's keys over several servers; that isn't supported. "
            "Nothing was started. Use a single Redis or Valkey, with replicas if you like.",
        )
    if server.is_replica:
        raise Unavailable(
            Code.REDIS_UNAVAILABLE,
            "This Redis is a replica, which accepts no writes. Nothing was started. "
            "Set ACTORLINE_REDIS_URL to the primary.",
        )
    if not server.writes_its_file:
        raise Unavailable(
            Code.LEDGER_NOT_DURABLE,
            "Redis can't write its append-only file, so it accepts no writes. Nothing was started. "
            "Free some space on its disk.",
        )
    if not server.has_aof:
        raise Unavailable(
            Code.LEDGER_NOT_DURABLE,
            "Redis keeps no append-only file, so a start could be forgotten and paid for twice. Nothing was started. "
            "Switch it on: CONFIG SET appendonly yes, and in redis.conf.",
        )
    if server.maxmemory_policy != "noeviction":
        raise Unavailable(
            Code.LEDGER_NOT_DURABLE,
            f"Redis may drop keys when memory is short (maxmemory-policy {server.maxmemory_policy}), jobs among them. "
            "Nothing was started. Set it: CONFIG SET maxmemory-policy noeviction, and in redis.conf.",
        )


def read_server(client: Any) -> Server:
    info: dict[str, Any] = client.info()
    return Server(
        run_id=info["run_id"],
        version=tuple(int(part) for part in str(info["redis_version"]).split(".")[:3]),
        uptime_s=int(info["uptime_in_seconds"]),
        has_aof=bool(info.get("aof_enabled")),
        maxmemory_policy=info.get("maxmemory_policy", "noeviction"),
        writes_its_file=info.get("aof_last_write_status", "ok") == "ok",
        is_replica=info.get("role", "master") != "master",
        is_cluster=bool(info.get("cluster_enabled")),
        replicas=int(info.get("connected_slaves", 0)),
        used_bytes=int(info.get("used_memory", 0)),
        max_bytes=int(info.get("maxmemory", 0)) or int(info.get("total_system_memory", 0)),
        aof_bytes=int(info.get("aof_current_size", 0)),
        clients=int(info.get("connected_clients", 0)),
        hz=int(info.get("configured_hz", info.get("hz", 0))),
        valkey_version=str(info.get("valkey_version", "")),
    )


Call = tuple[list[str], list[Any]]
"""A script's keys and arguments."""


class Disk:
    """Runs scripts and waits until what they wrote is on Redis's disk. Threads may share one."""

    def __init__(self, client: Any, *, replicas: int = 0) -> None:
        """Remember the client; `replicas`: how many must have a write on their disks as well."""
        self._client = client
        self._replicas = replicas
        self._succession = Succession.of(client) if replicas else None
        self._server: Server | None = None
        self._read_at = 0.0

    def run(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Return what the script returns for each call, when all is on disk. Raises NotDurable; the writes may be
        there then, and may be forgotten.
        """
        server = self._known_server()
        if not server.has_aof:
            raise NotDurable("Redis keeps no append-only file (appendonly no)")
        return self._run_and_wait(script, calls) if server.can_wait_for_disk else self._run_old(script, calls)

    def run_or_warn(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Run what must happen in any case, such as a stop wish: wait for the disk, but only warn if it isn't reached.

        The calls may be executed twice with the same arguments, which every script of the ledger allows.
        """
        try:
            return self.run(script, calls)
        except NotDurable as error:
            log.warning(
                "not_on_disk", error=f"{error}. The request was carried out, but a crash of Redis could undo it."
            )
            return [script(keys=keys, args=args) for keys, args in calls]

    @property
    def has_replicas(self) -> bool:
        """Return whether replicas must have what has to be on disk, as one of them may be promoted."""
        return self._replicas > 0

    def is_nearly_full(self, max_bytes: int | None = None, *, more_bytes: int = 0) -> bool:
        """Return whether little would be left of Redis's memory with `more_bytes` in it: as known a few seconds ago,
        but of much as it is now.
        """
        if more_bytes > SMALL_BYTES:
            self._server = None
        return self._known_server().is_nearly_full(max_bytes, more_bytes=more_bytes)

    def _known_server(self) -> Server:
        """Return cached facts of the server. They only refuse early; the proof is WAITAOF's own reply."""
        server = self._server
        if server is None or not server.has_aof or time.monotonic() - self._read_at > KNOWN_SECS:
            self._read_at = time.monotonic()
            self._server = server = read_server(self._client)
        return server

    def _run_and_wait(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        *replies, waited = self._run_before("WAITAOF", 1, self._replicas, WAIT_MS, script=script, calls=calls)
        if isinstance(waited, ResponseError):
            raise NotDurable(f"Redis can't confirm writes to its disk: {waited}")
        if waited[0] != 1:
            raise NotDurable("Redis did not write to its disk in time")
        if waited[1] < self._replicas:
            raise NotDurable(f"Only {waited[1]} of {self._replicas} Redis replicas wrote to their disks in time")
        return replies

    def _run_old(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        before = read_server(self._client)
        *replies, reached = self._run_before("WAIT", self._replicas, WAIT_MS, script=script, calls=calls)
        if isinstance(reached, ResponseError):
            raise NotDurable(f"Redis can't confirm that its replicas have a write: {reached}")
        if reached < self._replicas:
            raise NotDurable(f"Only {reached} of {self._replicas} Redis replicas had a write in time")
        time.sleep(OLD_SERVER_WAIT_SECS)
        if read_server(self._client).run_id != before.run_id:
            raise NotDurable("Redis was restarted while a write was under way")
        return replies

    def _run_before(self, *wait: Any, script: Script, calls: Sequence[Call]) -> list[Any]:
        """Return what the script returns for each call, and last the reply to `wait`.

        All go down one connection: on another one of the pool WAIT and WAITAOF prove nothing (measured). With sentinels
        they prove nothing either if that server was being replaced: NotDurable is raised then.
        """
        commands = [*(["EVALSHA", script.sha, len(keys), *keys, *args] for keys, args in calls), wait]
        replies, server = exchange(self._client, commands)
        failed = next((reply for reply in replies[:-1] if isinstance(reply, Exception)), None)
        if isinstance(failed, NoScriptError):  # Redis was started since it was loaded
            self._client.script_load(script.script)
            return self._run_before(*wait, script=script, calls=calls)
        if failed is not None:
            raise failed
        if self._succession and (objection := self._succession.objection(server)):
            raise NotDurable(objection)
        return replies
