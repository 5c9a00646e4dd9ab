"""The Redis that the ledger is in: its connection, its keys' names, its clock and its scripts."""

import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import redis
from pydantic import BaseModel
from redis.backoff import ExponentialWithJitterBackoff
from redis.commands.core import Script
from redis.driver_info import DriverInfo
from redis.retry import Retry

from actorline.jobs.job import FIELDS
from actorline.ledger.durability import Call, Disk
from actorline.ledger.keys import KEY_KINDS
from actorline.redis_connection.address import is_sentinel
from actorline.redis_connection.interruptible import InterruptiblePacker
from actorline.redis_connection.quick import QuickPool, run_script
from actorline.redis_connection.sentinels import SentinelAddress

Client = Any
"""A `redis.Redis` that decodes replies; its stubs return `bytes | str` for everything."""

SCRIPTS: Final = (
    "look", "register", "spend", "change", "record_run", "claim_poll", "record_receipt", "page_failed", "plan",
    "name_tasks", "forget", "enter_line", "call_line", "claim_room", "note_room", "outside_places", "continuity",
    "begin_start", "announce",
    "add_entry", "due_sets", "park", "unpark", "plan_look", "leave_parked",
    "register_batch", "change_batch", "newest",
)  # fmt: skip
PARTS: Final[Mapping[str, Sequence[str]]] = {
    "change": ("state_lists", "booking", "tally"),
    "record_run": ("state_lists",),
    "continuity": ("history",),
    "begin_start": ("history",),
}
"""Files with functions that a script calls."""
LUA: Final = Path(__file__).with_name("lua")
READERS: Final = frozenset({"look", "claim_poll"})
"""Scripts that return a job: they have its FIELDS within, as these would be a third of each command."""
FAILOVER_SECS: Final = 10.0  # a primary that is silent for longer has a successor; WAITAOF takes half of that
CLOCK_KEPT_SECS: Final = 1.0
CLOCK_TRIP_SECS: Final = 0.05


def connect(url: str, *, socket_timeout_s: float = 30, retries: int = 6, idle_s: int = 25) -> Client:
    """Return a client of the Redis at a checked address, or of the primary that its sentinels name.

    The defaults see a job through a restart of Redis; where a person waits, less is used. `idle_s`: a connection that
    was idle for longer is tried by a PING first, which a server whose disk is full refuses; 0: never.
    """
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": socket_timeout_s,
        "health_check_interval": idle_s,
        "command_packer": InterruptiblePacker(),
        "driver_info": DriverInfo(lib_version=redis.__version__),  # unless given, each connection reads it from a file
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), retries),
    }
    if url.startswith("redis+socket://"):
        pool: redis.ConnectionPool = QuickPool.from_url(_unix_url(url), **options)
    elif is_sentinel(url):
        options["socket_timeout"] = min(FAILOVER_SECS, socket_timeout_s)
        pool = SentinelAddress.parse(url).connection_pool(**options, socket_connect_timeout=min(5, socket_timeout_s))
    else:
        pool = QuickPool.from_url(url, **options, socket_connect_timeout=min(5, socket_timeout_s))
    return redis.Redis.from_pool(pool)


def _unix_url(url: str) -> str:
    return url.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")


def call_token() -> str:
    """Return what a script recognises a repeated call by, whose reply was lost."""
    return secrets.token_hex(12)


def flat(fields: Mapping[str, object]) -> list[Any]:
    """Return the fields of a hash as a script takes them: each name, then its value."""
    return [part for name, value in fields.items() for part in (name, _stored(value))]


def _stored(value: object) -> Any:
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, Mapping):
        return json.dumps(value, default=_as_json)
    return int(value) if isinstance(value, bool) else value


def _as_json(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json")


def script_text(name: str) -> str:
    """Return a script with the functions that it calls."""
    fields = ", ".join(f"'{field}'" for field in FIELDS)
    begin = f"local FIELDS = {{{fields}}}\n" if name in READERS else ""
    parts = ((LUA / f"{part}.lua").read_text() for part in (*PARTS.get(name, ()), name))
    return begin + "".join(parts)


class RedisClock:
    """Redis's time, asked for once a second: in between this machine's own clock counts.

    A stage looks at the time five to ten times, and each was a round trip.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known = (0.0, float("-inf"))  # Redis's time and ours, at the same moment

    def now(self) -> float:
        """Return unix seconds by Redis's clock."""
        theirs, ours = self._known
        passed = _steady_secs() - ours
        return theirs + passed if passed < CLOCK_KEPT_SECS else self._ask()

    def _ask(self) -> float:
        began = _steady_secs()
        seconds, microseconds = self._client.time()
        theirs, ours = float(seconds + microseconds / 1_000_000), _steady_secs()
        if ours - began < CLOCK_TRIP_SECS:  # otherwise nobody knows how old the reply is
            self._known = (theirs, ours)
        return theirs


def _steady_secs() -> float:
    """Return seconds that also pass while this process or its machine is stopped."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Store:
    """What the parts of the ledger work with."""

    def __init__(self, client: Client, namespace: str, *, replicas: int = 0) -> None:
        """Open the keys of a namespace; `replicas`: see `Disk`."""
        self.redis = client
        self.namespace = namespace
        self.disk = Disk(client, replicas=replicas)
        self.now = RedisClock(client).now
        self.scripts: dict[str, Script] = {name: client.register_script(script_text(name)) for name in SCRIPTS}

    def name(self, kind: str, *parts: object) -> str:
        """Return one of our Redis keys: `actorline:job:{key}`. Each `kind` is listed in `keys.py`."""
        if kind.partition(":")[0] not in KEY_KINDS:
            raise KeyError(kind)
        return ":".join(str(part) for part in (self.namespace, kind, *parts))

    def run(self, script: str, keys: list[str], args: Iterable[Any]) -> Any:
        """Run one of the scripts in `lua/`, whose heads say what they do."""
        return run_script(self.redis, self.scripts[script], keys, list(args))

    def run_on_disk(self, script: str, keys: list[str], args: Iterable[Any], *, or_warn: bool = False) -> Any:
        """Run a script and return when what it wrote is on Redis's disk.

        Raises NotDurable if that can't be had; with `or_warn` a warning is logged instead.
        """
        (reply,) = self.run_each_on_disk(script, [(keys, list(args))], or_warn=or_warn)
        return reply

    def run_each_on_disk(self, script: str, calls: Sequence[Call], *, or_warn: bool = False) -> list[Any]:
        """Run a script for each of the calls, with one wait for the disk."""
        run = self.disk.run_or_warn if or_warn else self.disk.run
        return run(self.scripts[script], calls)
