"""Writes that are on Redis's disk before anything is paid for (DESIGN, section 6, step 1)."""

import time
from dataclasses import dataclass
from typing import Any, Final

from redis.commands.core import Script

from actorline.errors import Code, Unavailable

WAIT_MS: Final = 5_000  # with `appendfsync everysec` a busy disk may take a second or two; measured: 0.4 ms
OLD_SERVER_WAIT_SECS: Final = 2.0  # before Redis 7.2: `appendfsync everysec` has written what is two seconds old
OLDEST_VERSION: Final = (6, 2)  # the ledger uses ZRANGE ... REV and SMISMEMBER


class NotDurableError(Exception):
    """Redis can't promise that a write is on its disk, so no paid run may be started."""


@dataclass(frozen=True)
class Server:
    """What the Redis server says of itself. `run_id` is new after each start."""

    run_id: str
    version: tuple[int, ...]
    uptime_s: int
    has_aof: bool
    maxmemory_policy: str
    writes_its_file: bool
    """The append-only file: a full disk ends that, and then Redis takes no writes."""

    @property
    def can_wait_for_disk(self) -> bool:
        return self.version >= (7, 2)


def check_server(client: Any) -> None:
    """Raises Unavailable if what Redis is told may be forgotten: a job's start would be paid for twice."""
    server = read_server(client)
    if server.version < OLDEST_VERSION:
        version, oldest = (".".join(str(part) for part in parts) for parts in (server.version, OLDEST_VERSION))
        message = f"Redis is too old: {version}. Nothing was started. Take {oldest} or newer, or Valkey."
        raise Unavailable(Code.REDIS_UNAVAILABLE, message)
    if not server.writes_its_file:
        message = (
            "Redis can't write its append-only file, so it takes no writes. Nothing was started. Make room on its disk."
        )
        raise Unavailable(Code.LEDGER_NOT_DURABLE, message)
    if not server.has_aof:
        message = (
            "Redis keeps no append-only file, so a start could be forgotten and paid for twice. Nothing was started. "
            "Switch it on: CONFIG SET appendonly yes, and in redis.conf."
        )
        raise Unavailable(Code.LEDGER_NOT_DURABLE, message)
    if server.maxmemory_policy != "noeviction":
        message = (
            f"Redis may drop keys when memory is short (maxmemory-policy {server.maxmemory_policy}), jobs among them. "
            "Nothing was started. Set it: CONFIG SET maxmemory-policy noeviction, and in redis.conf."
        )
        raise Unavailable(Code.LEDGER_NOT_DURABLE, message)


def read_server(client: Any) -> Server:
    info: dict[str, Any] = client.info()
    return Server(
        run_id=info["run_id"],
        version=tuple(int(part) for part in str(info["redis_version"]).split(".")[:3]),
        uptime_s=int(info["uptime_in_seconds"]),
        has_aof=bool(info.get("aof_enabled")),
        maxmemory_policy=info.get("maxmemory_policy", "noeviction"),
        writes_its_file=info.get("aof_last_write_status", "ok") == "ok",
    )


def run_on_disk(client: Any, script: Script, keys: list[str], args: list[Any]) -> Any:
    """Run a script and return its answer when what it wrote is on disk. Raises NotDurableError.

    Script and WAITAOF go down one connection: on another one of the pool WAITAOF proves nothing (measured).
    """
    server = read_server(client)
    if not server.has_aof:
        raise NotDurableError("Redis keeps no append-only file (appendonly no)")
    if not server.can_wait_for_disk:
        answer = script(keys=keys, args=args)
        time.sleep(OLD_SERVER_WAIT_SECS)
        if read_server(client).run_id != server.run_id:
            raise NotDurableError("Redis was restarted while a write was under way")
        return answer
    with client.pipeline(transaction=False) as pipe:
        script(keys=keys, args=args, client=pipe)
        pipe.execute_command("WAITAOF", 1, 0, WAIT_MS)
        answer, (local, _) = pipe.execute()
    if local != 1:
        raise NotDurableError("Redis did not get a write onto its disk in time")
    return answer
