"""The line as it is: ledger, scripts, tasks, canvas, Celery's own tracer and results. Only what carries its messages,
the platform's wire and the clocks are the adversary's.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from billiard.einfo import ExceptionInfo
from celery import Celery
from celery.app.trace import build_tracer
from celery.backends.redis import RedisBackend
from celery.exceptions import Reject
from held_execution import ANY, ANY_BUT_FAILING, SENT_ONCE, Blows, Execution, Fate, leave_process
from kombu.exceptions import OperationalError
from kombu.utils.json import dumps
from redis.client import Pipeline
from small_platform import SmallPlatform
from virtual_clock import Clock, VirtualTime, virtual_datetime

from actorline.delivery.sink.local import LocalSink
from actorline.delivery.sink.protocol import SinkError
from actorline.ledger.ledger import Ledger
from actorline.platform.client import Platform
from actorline.platform.start import SendBy
from actorline.settings import Settings
from config.celery import celery_settings
from tasks import MODULES
from tasks.shell import environment

BEGAN: Final = 1_800_000_000.0  # unix seconds
TOKEN: Final = "apify_api_of_nobody"
DATABASE: Final = 7  # of the tests' Valkey; nobody else uses it
STAGES: Final = frozenset({"start_run", "poll_run", "fetch_ahead", "fetch_pages", "fetch_page", "finish_job"})
EPOCH_AT: Final = 1  # its place in a stage's arguments
READS: Final = frozenset(
    {
        "EXISTS", "GET", "HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HVALS", "MGET", "SMEMBERS", "TIME",
        "XRANGE", "XREVRANGE", "ZCARD", "ZRANGE", "ZRANGEBYSCORE", "ZSCORE",
    }
)  # fmt: skip
"""Commands after which everything is as before."""


@dataclass
class Message:
    """As it lies in the broker."""

    task: str
    queue: str
    headers: dict[str, Any]
    args: list[Any]
    embed: dict[str, Any]

    def __repr__(self) -> str:
        return f"{self.task.removeprefix('actorline.')}{tuple(self.args) if self.task != 'actorline.run' else ''}"

    @property
    def epoch(self) -> int | None:
        """Of a stage of the pipeline; None: any other task."""
        return self.args[EPOCH_AT] if self.task.removeprefix("actorline.") in STAGES else None


class HeldRedis(redis.Redis):
    """A client of an execution: each round trip is held, and `seen` is called after those that may change something."""

    def __init__(self, pool: Any, possible: frozenset[Fate] = ANY) -> None:
        super().__init__(connection_pool=pool)
        self.seen: Callable[[], None] = lambda: None
        self._possible = possible

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return self._leave(lambda: redis.Redis.execute_command(self, *args, **options), [args])

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Any:
        pipe = _HeldPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipe.leave = self._leave
        return pipe

    def _leave(self, call: Callable[[], Any], commands: list[Any], *, is_transaction: bool = False) -> Any:
        def seen_call() -> Any:
            reply = call()
            if not all(command[0] in READS for command in commands):
                self.seen()
            return reply

        possible = self._possible & SENT_ONCE if is_transaction else self._possible
        return leave_process(seen_call, lost=lambda: redis.ConnectionError("broken off"), possible=possible)


class _HeldPipeline(Pipeline):
    leave: Callable[..., Any]

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """A command of a transaction that watches keys; such a one is never repeated by redis-py."""
        return self.leave(
            lambda: Pipeline.immediate_execute_command(self, *args, **options), [args], is_transaction=True
        )

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        stack = list(self.command_stack)

        def call() -> Any:
            self.command_stack = list(stack)
            return Pipeline.execute(self, raise_on_error)

        return self.leave(call, [command for command, _ in stack], is_transaction=self.watching)


class ClockedLedger(Ledger):
    """The ledger with its own scripts, which look at the adversary's clock, as it does itself."""

    def __init__(self, clock: Clock, client: Any, namespace: str) -> None:
        super().__init__(client, namespace)
        store: Any = self._store
        store.now = clock.now
        store.scripts = {
            name: client.register_script(clock.in_lua(script.script)) for name, script in store.scripts.items()
        }


class _HeldBackend(RedisBackend):
    thread_safe = True

    def on_task_call(self, *_: Any) -> None:
        """Nobody waits for a result here, so nobody subscribes to it."""

    def remove_pending_result(self, result: Any) -> Any:
        return result


@dataclass
class HeldLine:
    settings: Settings
    app: Celery
    ledger: Ledger
    clock: Clock
    platform: SmallPlatform
    raw: Any
    """A client of the ledger's database that nobody holds."""
    bag: list[Message] = field(default_factory=list)
    held: list[Execution] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    """Task ids of all orders."""

    # -- workers

    def begin(self, message: Message) -> Execution:
        """A worker has taken the message; it stands before its first call."""
        task = self.app.tasks[message.task]
        request = {
            **message.headers,
            **message.embed,
            "delivery_info": {"routing_key": message.queue, "priority": 0, "redelivered": False},
            "hostname": "any@order",
            "is_eager": False,
        }

        def work() -> None:
            self.app.set_current()
            trace = build_tracer(message.task, task, app=self.app, hostname="any@order")
            came_of_it = trace(message.headers["id"], message.args, {}, request).retval
            if isinstance(came_of_it, ExceptionInfo) and isinstance(came_of_it.exception, Reject):
                self.bag.append(message)

        return Execution(work, message, epoch=message.epoch)

    def deliver(self, message: Message, blows: Blows | None = None, *, is_lost: bool = False) -> None:
        """A worker takes the message; see `go_on`."""
        self.go_on(self.begin(message), blows, is_lost=is_lost)

    def go_on(self, execution: Execution, blows: Blows | None = None, *, is_lost: bool = False) -> None:
        """Let a worker go on until it is done with its message, held, or dead: then the message comes back, or is lost
        with it.
        """
        execution.go_on(blows or Blows())
        if not execution.is_over:
            self.held.append(execution)
        elif execution.is_dead and not is_lost:
            self.bag.append(execution.about)

    def work(
        self,
        seconds: float,
        blows: Blows | None = None,
        *,
        meets: Callable[[Message], bool] = lambda _: True,
        backwards: bool = False,
    ) -> None:
        """After so many seconds upkeep looks, and every message that is there is taken, in this or the other order;
        `meets`: whether the blows are for it.
        """
        self.clock.advance(seconds)
        self.send("actorline.upkeep")
        messages, self.bag[:] = self.bag[:: -1 if backwards else 1], []
        for message in messages:
            self.deliver(message, blows if meets(message) else None)

    # -- messages

    def order(self, *, continues: bool = False, **document: Any) -> None:
        """From a service, as it orders 7 rows in pages of 3; `continues`: it has linked a task to the order."""
        order = {"actor": "any/actor", "collect": {"page_items": 3, "records": []}, **document}
        link = self.app.signature("actorline.status", args=["nobody"], immutable=True) if continues else None
        self.callers.append(self.send("actorline.run", order, link=link))

    def send(self, task: str, *args: Any, **options: Any) -> str:
        """From a service: put into the bag. Returns the task's id."""
        return str(self.app.send_task(task, args, **options).id)

    def put(self, _producer: Any, name: str, message: Any, queue: Any = None, **_: Any) -> None:
        """What Celery calls to publish a message."""
        args, _kwargs, embed = json.loads(dumps(message.body))
        kept = Message(name, getattr(queue, "name", queue), json.loads(dumps(message.headers)), args, embed)
        leave_process(lambda: self.bag.append(kept), lost=lambda: OperationalError("the broker can't be reached"))

    def epoch(self, key: str) -> int | None:
        """The job's, which goes up when upkeep sends one of its stages again."""
        job = self.ledger.load(key)
        return job.epoch if job else None

    def queue_lengths(self) -> dict[str, int]:
        """As a Redis broker reports them to upkeep."""
        waiting = Counter(message.queue for message in self.bag)
        return {kind: waiting[f"{self.settings.namespace}.{kind}"] for kind in ("control", "fetch")}


@dataclass
class Ground:
    """What all lines stand on, one after the other: a Redis database, and the Celery app."""

    url: str
    home: Path

    def __post_init__(self) -> None:
        unix = self.url.replace("redis+socket://", "unix://")
        self.pool = redis.ConnectionPool.from_url(f"{unix}?db={DATABASE}", decode_responses=True)
        self.raw = redis.Redis(connection_pool=self.pool)
        self.settings = Settings(
            apify_token=TOKEN,
            api_url="http://platform.test",
            api_allow_http=True,
            home=self.home,
            redis_url=f"{self.url}?virtual_host={DATABASE}",
        )
        self.app = self._make_app()

    def _make_app(self) -> Celery:
        app = Celery("any-order", include=list(MODULES), set_as_current=False)
        by_memory = {"broker_url": "memory://", "broker_transport_options": {}}
        app.config_from_object({**celery_settings(self.settings), **by_memory})
        app.loader.import_default_modules()
        app.finalize()
        backend = _HeldBackend(app=app, url=self.settings.results.removeprefix("redis+"))
        backend.client = HeldRedis(self.pool, possible=ANY_BUT_FAILING)
        app._backend_cache = backend
        return app

    def close(self) -> None:
        self.app.close()
        self.pool.disconnect()


@contextmanager
def held_line(ground: Ground, *, is_young: bool = False) -> Iterator[HeldLine]:
    """A line that nobody has used. `is_young`: nothing is known yet of its ledger's history."""
    settings, raw = ground.settings, ground.raw
    clock = Clock(raw, settings.namespace)
    clock.begin(BEGAN)
    client = HeldRedis(ground.pool)
    if not is_young:
        seen = {"run_id": raw.info("server")["run_id"], "gap": 1, "beat": BEGAN}
        raw.hset(f"{settings.namespace}:continuity", mapping=seen)
        raw.hset(f"{settings.namespace}:looked_back", "default", 1)
    platform = SmallPlatform(clock)
    with pytest.MonkeyPatch.context() as patch:
        for cached in (environment.settings, environment.ledger, environment.installation, environment._platform):
            cached.cache_clear()
        patch.setattr(environment._owners, "of", lambda _: None)  # who the account is isn't asked here
        patch.setattr(environment, "check_owner", lambda *_: None)
        patch.setattr(environment, "load_settings", lambda: settings)
        patch.setattr(environment, "connect", lambda _: client)
        patch.setattr(environment, "Ledger", lambda *args, **_: ClockedLedger(clock, *args))
        patch.setattr(environment, "RedisGovernor", lambda *_: None)
        patch.setattr(environment, "Platform", lambda *args, **options: _platform(platform, clock, *args, **options))
        patch.setattr("actorline.platform.start._GuardedAdapter", platform.start_adapter)
        patch.setattr("actorline.platform.start.time", VirtualTime(clock))
        patch.setattr("actorline.platform.clock.datetime", virtual_datetime(clock))
        patch.setattr("actorline.stages.start.moves.time", VirtualTime(clock))
        patch.setattr("actorline.stages.start.sink_claim.soon", lambda _, call: call())  # in the execution that is held
        for sender in ("start.start_run", "watch.resurrection"):
            patch.setattr(f"actorline.stages.{sender}.SendBy", lambda span_s: SendBy(span_s, wall=clock.now()))
        for constant in (
            "start_lease.START_LEASE_RENEW_SECS",
            "collect.fetch_page.PAGE_LEASE_RENEW_SECS",
            "collect.deliver.DELIVERY_KEEP_ALIVE_SECS",
        ):
            patch.setattr(f"actorline.stages.{constant}", 3600)  # a frozen process renews nothing
        for call in ("publish", "move"):
            patch.setattr(LocalSink, call, _held(getattr(LocalSink, call)))
        line = HeldLine(settings, ground.app, environment.ledger(), clock, platform, raw)
        patch.setattr(ground.app.amqp, "send_task_message", line.put)
        patch.setattr("tasks.shell.outbox.CeleryOutbox.queue_lengths", lambda _outbox: line.queue_lengths())
        try:
            yield line
        finally:
            for execution in line.held:
                execution.kill()
            raw.flushdb()
            shutil.rmtree(settings.home, ignore_errors=True)


def _platform(model: SmallPlatform, clock: Clock, *args: Any, **options: Any) -> Platform:
    platform = Platform(*args, **options, sleep=clock.advance)
    platform._session.mount("http://", model.adapter())
    return platform


def _held(original: Callable[..., Any]) -> Callable[..., Any]:
    """A sink's call that may be refused, or be the last one of its process."""

    def held(*args: Any) -> Any:
        return leave_process(lambda: original(*args), lost=lambda: SinkError("The sink refuses."))

    return held
