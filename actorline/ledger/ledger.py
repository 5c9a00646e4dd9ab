"""The ledger: the jobs' state in Redis, changed by atomic scripts only. The truth; Celery's messages are transport.

Times are unix seconds by Redis `TIME`. Every script is safe to repeat: redis-py repeats one whose reply was lost.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, cast

import redis
from pydantic import BaseModel, ValidationError
from redis.backoff import ExponentialWithJitterBackoff
from redis.commands.core import Script
from redis.lock import Lock
from redis.retry import Retry

from actorline.errors import Code, Unavailable
from actorline.jobs.document import JobDocument, is_key
from actorline.jobs.job import Job
from actorline.jobs.states import LIVE, TERMINAL, Event, State, sources, target
from actorline.ledger.durability import Call, Disk
from actorline.ledger.log_level import level_of
from actorline.logs import Logger
from actorline.platform.marker import digest_of

if TYPE_CHECKING:  # who only looks at jobs doesn't wait for what their pages are made of
    from actorline.delivery.page_plan import Window
    from actorline.delivery.receipt import Receipt
    from actorline.delivery.record_index import RecordBlock
    from actorline.jobs.allowance import Allowance
    from actorline.jobs.sender import Sender

log = Logger(__name__)

TIMELINE_ENTRIES: Final = 500  # a job tells about ten lines; a long outage must not grow the stream for ever
LATER_LOOK_SECS: Final = 300.0  # a list shows a run within seconds; a request that is still under way is cut by then
CLAIM_POLL_SECS: Final = 10  # a poll is one GET of at most that long
_JOB_FIELDS: Final = list(Job.model_fields)


@dataclass(frozen=True)
class NewJob:
    """An order that was checked. `sink`: its own folder's URL; `fresh`: we made the key ourselves; `caller`: a Celery
    task's `id` and continuation; `allowance`: what it takes of its API key's day; `most_open`: how many open jobs its
    API key may have.
    """

    key: str
    document: JobDocument
    sink: str
    fresh: bool
    caller: Mapping[str, Any] | None = None
    sender: Sender | None = None
    allowance: Allowance | None = None
    earlier_hash: str | None = None
    most_open: int | None = None
    has_console: bool = True


@dataclass(frozen=True)
class Registered:
    """What came of an order: `created`, `joined` the job that exists, in `conflict` with it, `full` if its API key has
    all the open jobs it may have, or `over` its key's day: then `spent_nano_usd` is what its orders take already.
    """

    outcome: str
    existing_hash: str
    state: State
    spent_nano_usd: int = 0


@dataclass(frozen=True)
class TimelineEntry:
    id: str
    at: float
    event: str
    data: dict[str, Any]


Client = Any
"""A `redis.Redis` that decodes replies; its stubs answer `bytes | str` for everything."""


def connect(url: str, *, socket_timeout_s: float = 30, retries: int = 6) -> Client:
    """A client of the Redis at `url` (`redis://`, `rediss://` or Celery's `redis+socket://`).

    The defaults see a job through a restart of Redis; whoever has somebody waiting takes less.
    """
    options: dict[str, Any] = {
        "decode_responses": True,
        "socket_timeout": socket_timeout_s,
        "health_check_interval": 25,
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), retries),
    }
    if url.startswith("redis+socket://"):
        return redis.Redis.from_url(_unix_url(url), **options)
    return redis.Redis.from_url(url, socket_connect_timeout=min(5, socket_timeout_s), **options)


def _unix_url(url: str) -> str:
    return url.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")


class UnreadableJobError(Unavailable):
    """A job that this version can't read; a newer one wrote it."""

    def __init__(self, key: str) -> None:
        message = (
            f"The job {key} can't be read by this version of Actorline: a newer one wrote it, or its entry is damaged. "
            "Nothing was changed, and its run, if there is one, may be billing. Update this installation."
        )
        super().__init__(Code.INTERNAL, message)


class Ledger:
    def __init__(self, client: Client, namespace: str, *, replicas: int = 0) -> None:
        """`replicas`: see `Disk`."""
        self.redis = client
        self._disk = Disk(client, replicas=replicas)
        self.namespace = namespace
        self.last_beat = 0.0
        """See `continuity.py`: unix seconds of the last beat that this process saw in the ledger."""
        self._scripts: dict[str, Script] = {
            name: client.register_script(files(__package__).joinpath(f"lua/{name}.lua").read_text())
            for name in (
                "register", "spend", "change", "record_run", "claim_poll", "record_receipt", "page_failed", "plan",
                "name_tasks", "forget", "enter_line", "call_line", "outside_places", "continuity",
            )
        }  # fmt: skip

    def name(self, *parts: object) -> str:
        """The Redis key of something of ours: `actorline:job:{key}`."""
        return ":".join(str(part) for part in (self.namespace, *parts))

    def now(self) -> float:
        seconds, microseconds = self.redis.time()
        return float(seconds + microseconds / 1_000_000)

    # -- a job's life

    def register(self, orders: Sequence[NewJob], *, care_s: float) -> list[Registered]:
        """Create each job or join the one that exists, and return when all that is on Redis's disk.

        A caller is kept either way, but in a conflict. Raises NotDurableError, and Unavailable
        where memory is short.
        """
        if self._disk.is_nearly_full():
            message = (
                "Redis's memory is nearly full. Nothing was started: what is left of it is for cancels, deadlines and "
                "the jobs that are there. Give it more (maxmemory), or send the order again later."
            )
            raise Unavailable(Code.REDIS_UNAVAILABLE, message)
        answers = self._disk.run(self._scripts["register"], [self._registration(order, care_s) for order in orders])
        registered = [_registered(*answer) for answer in answers]
        for order, each in zip(orders, registered, strict=True):
            if each.outcome == "created":
                log.info("queued", job_key=order.key)
        return registered

    def _registration(self, order: NewJob, care_s: float) -> Call:
        key, document, caller, sender = order.key, order.document, order.caller, order.sender
        allowance = order.allowance
        fields = {
            # without defaults: a field that a newer version adds is no riddle to an older one that works beside it
            "document": document.model_dump_json(exclude={"input"}, exclude_defaults=True),
            "input": document.input_body(),
            "account": document.account,
            "sink": order.sink,
            "fresh": int(order.fresh),
            "likeness": document.likeness(),
            **({} if order.has_console else {"no_console": 1}),
            **({"ordered_by": sender.holder} if sender and sender.holder else {}),
        }
        keys = [self.name("job", key), self.name("events", key), self.name("callers", key), self.name("ids"),
                self.name("job_ids", key), self.name("due"), self.name("state", State.QUEUED),
                self.name("tally"), self.name("spent", allowance.holder if allowance else ""),
                self.name("state", State.QUEUED, document.account.lower()),
                self.name("open", sender.holder if sender else ""), self.name("deadlines")]  # fmt: skip
        args = [key, document.body_hash(), _token(), care_s, TIMELINE_ENTRIES,
                caller["id"] if caller else "", json.dumps(caller) if caller else "",
                json.dumps(sender.facts() if sender else {}),
                allowance.nano_usd if allowance else 0, allowance.limit_nano_usd if allowance else "",
                order.earlier_hash or "",
                "" if order.most_open is None else order.most_open,
                "" if document.deadline_secs is None else document.deadline_secs,
                *(part for pair in fields.items() for part in pair)]  # fmt: skip
        return keys, args

    def spend(self, allowance: Allowance) -> tuple[bool, int]:
        """Take an allowance, or give it back if it is negative. Return whether the day's limit allowed it, and what
        was taken before.
        """
        is_taken, spent = self._scripts["spend"](
            keys=[self.name("spent", allowance.holder)], args=[allowance.nano_usd, allowance.limit_nano_usd]
        )
        return bool(is_taken), int(spent)

    def load(self, key: str) -> Job | None:
        """The job, without its input; None also for what can't be a key. Raises UnreadableJobError."""
        if not is_key(key):
            return None
        return _job(key, self.redis.hmget(self.name("job", key), _JOB_FIELDS))

    def load_many(self, keys: Sequence[str]) -> list[Job | None]:
        """The jobs, in one round trip. One that can't be read is logged and None: it must not hide the others."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hmget(self.name("job", key), _JOB_FIELDS)
            return [_job_if_readable(key, values) for key, values in zip(keys, pipe.execute(), strict=True)]

    def document_bytes(self, keys: Sequence[str]) -> list[int]:
        """The size of each job's document."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hstrlen(self.name("job", key), "document")
            return cast("list[int]", pipe.execute())

    def _call(self, script: str, *, keys: list[str], args: list[Any], on_disk: bool, or_warn: bool = False) -> Any:
        if not on_disk:
            return self._scripts[script](keys=keys, args=args)
        run = self._disk.run_or_warn if or_warn else self._disk.run
        (answer,) = run(self._scripts[script], [(keys, args)])
        return answer

    def has_field(self, key: str, name: str) -> bool:
        """Return whether the job's hash holds the field."""
        return bool(self.redis.hexists(self.name("job", key), name))

    def run_script(self, script: str, keys: list[str], args: list[Any]) -> Any:
        """Run one of the scripts in `lua/`, whose heads say what they do."""
        return self._scripts[script](keys=keys, args=args)

    def account(self, key: str) -> str | None:
        account = cast("str | None", self.redis.hget(self.name("job", key), "account"))
        return account.lower() if account else None  # a job of an earlier version may have capitals

    def load_input(self, key: str) -> bytes:
        return (self.redis.hget(self.name("job", key), "input") or "{}").encode()

    def change(
        self,
        key: str,
        *,
        states: Iterable[State] = LIVE,
        epoch: int | None,
        to: State | None = None,
        next_epoch: bool = False,
        care_s: float | str | None = "",
        tell: str = "",
        data: Mapping[str, Any] | None = None,
        guards: Mapping[str, object] | None = None,
        on_disk: bool = False,
        or_warn: bool = False,
        fields: Mapping[str, object] | None = None,
    ) -> int | None:
        """Change the job if it is in one of `states`, has `epoch` (None: any) and every guard's value.

        `care_s`: seconds until upkeep looks after the job, None for never, "" to leave that as it is.
        `fields`: what else the job's hash shall hold; None empties a field, "@now" stands for Redis's time.
        `tell`: an entry for the timeline, with `data`.
        `on_disk`: return only when the change is on Redis's disk; raises NotDurableError if that can't be had, or with
        `or_warn` logs a warning, and the change stands.
        Answers the epoch that the job has now, or None if the change was refused: somebody else was first.
        """
        guards = guards or {}
        keys = [self.name("job", key), self.name("events", key), self.name("due"), self.name("tally")]
        outcome, now_epoch, _, _ = self._call(
            "change", on_disk=on_disk, or_warn=or_warn,
            keys=keys,
            args=[key, _token(), self.name("state") + ":", ",".join(states), "" if epoch is None else epoch,
                  to or "", int(next_epoch), "none" if care_s is None else care_s,
                  tell, json.dumps(data or {}), TIMELINE_ENTRIES, int(to in TERMINAL),
                  len(guards), *_flat(guards), *_flat(fields or {})],
        )  # fmt: skip
        if outcome != "won":
            return None
        if tell:
            log.log(level_of(tell, data or {}), tell, job_key=key, **(data or {}))
        return int(now_epoch)

    def move(
        self,
        job: Job,
        event: Event,
        *,
        care_s: float,
        tell: str = "",
        data: Mapping[str, Any] | None = None,
        guards: Mapping[str, object] | None = None,
        on_disk: bool = False,
        fields: Mapping[str, object] | None = None,
    ) -> bool:
        """Take the job, as it was loaded, along the state table. False: somebody else changed it meanwhile.

        For the parameters see `change`.
        """
        epoch = self.change(
            job.key, states=sources(event), epoch=job.epoch, to=target(event), care_s=care_s, tell=tell, data=data,
            guards=guards, on_disk=on_disk, fields=fields,
        )  # fmt: skip
        return epoch is not None

    def record_run(
        self, key: str, attempt: int, epoch: int, run_id: str, *, states: Iterable[State], care_s: float, found: bool
    ) -> bool:
        """Keep a run id whatever the job's state is. False: the job didn't wait for it and it is a stray to abort, or
        the job is in other hands by now, which find the run in the ledger.
        """
        keys = [self.name("job", key), self.name("events", key), self.name("due"), self.name("runs", key),
                self.name("strays"), self.name("run_keys"), self.name("tally")]  # fmt: skip
        data = {"run_id": run_id, "attempt": attempt, "found": found}
        outcome, now_epoch = self._scripts["record_run"](
            keys=keys,
            args=[key, attempt, run_id, self.name("state") + ":", ",".join(states), care_s, TIMELINE_ENTRIES,
                  json.dumps(data), int(found), epoch],
        )  # fmt: skip
        log.info("run-known" if outcome == "won" else "stray-run", job_key=key, **data)
        return bool(outcome == "won" and int(now_epoch) == epoch)

    def runs(self, key: str, attempt: int) -> list[str]:
        return cast("list[str]", json.loads(self.redis.hget(self.name("runs", key), str(attempt)) or "[]"))

    def key_of_run(self, run_id: str) -> str | None:
        """The job that a run was ever seen for."""
        return cast("str | None", self.redis.hget(self.name("run_keys"), run_id))

    def strays(self) -> dict[str, str]:
        """Run id -> key of every run that no job wants and whose end isn't confirmed."""
        return cast("dict[str, str]", self.redis.hgetall(self.name("strays")))

    def add_stray(self, run_id: str, key: str) -> None:
        """Let upkeep abort a run that its job doesn't want."""
        self.redis.hset(self.name("strays"), run_id, key)

    def forget_stray(self, run_id: str) -> None:
        self.redis.hdel(self.name("strays"), run_id)
        self.redis.zrem(self.name("stray_due"), run_id)

    def plan_stray(self, run_id: str, seconds: float) -> None:
        """Let the run be looked at again after so many seconds."""
        self.redis.zadd(self.name("stray_due"), {run_id: self.now() + seconds}, xx=True)

    def take_strays(self, again_s: float) -> list[str]:
        """Runs that are to be aborted now; each is due again later, unless `forget_stray` comes."""
        if strays := self.redis.hkeys(self.name("strays")):
            self.redis.zadd(self.name("stray_due"), dict.fromkeys(strays, 0), nx=True)
        return self.take_due("stray_due", again_s=again_s)

    def claim_poll(self, key: str, epoch: int, number: int, execution: str) -> bool:
        args: list[Any] = [epoch, number, execution, CLAIM_POLL_SECS]
        return bool(self._scripts["claim_poll"](keys=[self.name("job", key)], args=args))

    def tell(self, key: str, event: str, **data: object) -> None:
        """Add an entry to the job's timeline; a job that was forgotten gets no new one."""
        entry: Any = {"at": self.now(), "event": event, "data": json.dumps(data)}
        self.redis.xadd(self.name("events", key), entry, maxlen=TIMELINE_ENTRIES, nomkstream=True)

    def timeline(self, key: str) -> list[TimelineEntry]:
        return _entries(self.redis.xrange(self.name("events", key)))

    # -- later looks at the platform

    def plan_sweep(self, account: str) -> None:
        """Let an account that starts runs be swept for orphans some time after."""
        self.redis.zadd(self.name("sweeps"), {account: self.now() + LATER_LOOK_SECS}, nx=True)

    def plan_second_look(self, key: str, attempt: int) -> None:
        """Let an unclear start be searched for once more, long after whatever it made must show in the lists."""
        self.redis.zadd(self.name("second_looks"), {f"{attempt}:{key}": self.now() + LATER_LOOK_SECS})

    def take_sweeps(self) -> list[str]:
        """Accounts to be swept now; each is due again later."""
        return self.take_due("sweeps")

    def take_second_looks(self) -> list[tuple[str, int]]:
        """Keys and attempts to be searched for now; each is due again later, unless `forget_second_look` comes."""
        pairs = [member.partition(":") for member in self.take_due("second_looks")]
        return [(key, int(attempt)) for attempt, _, key in pairs]

    def forget_second_look(self, key: str, attempt: int) -> None:
        self.redis.zrem(self.name("second_looks"), f"{attempt}:{key}")

    def plan(self, kind: str, members: Sequence[str], seconds: float) -> None:
        """Plan later looks, and return when they are on Redis's disk. Raises NotDurableError."""
        if members:
            self._call("plan", keys=[self.name(kind)], args=[seconds, *members], on_disk=True)

    def take_due(self, kind: str, again_s: float = LATER_LOOK_SECS) -> list[str]:
        """Members of a sorted set of times that are due by now; each is due again later."""
        now = self.now()
        due = cast("list[str]", self.redis.zrangebyscore(self.name(kind), "-inf", now, start=0, num=100))
        if due:
            self.redis.zadd(self.name(kind), dict.fromkeys(due, now + again_s), xx=True)
        return due

    # -- markers

    def name_marker(self, key: str) -> None:
        """Remember whose marker it is that a start is about to send out."""
        self.redis.hset(self.name("markers"), digest_of(key), key)

    def key_of_marker(self, digest: str) -> str | None:
        return cast("str | None", self.redis.hget(self.name("markers"), digest))

    def note_marker(self, account: str, *, came_back: bool) -> None:
        """Whether the marker of a run that we started stood in the run itself, the last time that this was seen."""
        self.redis.hset(self.name("marker_seen"), account, int(came_back))

    def is_marker_proven(self, account: str) -> bool:
        return bool(self.redis.hget(self.name("marker_seen"), account) == "1")

    def timeline_after(self, key: str, after: str) -> list[TimelineEntry]:
        """The timeline's entries behind the id `after`."""
        return _entries(self.redis.xrange(self.name("events", key), f"({after}"))

    def latest_entry(self, key: str) -> str:
        """The id of the timeline's latest entry; "0-0" if there is none."""
        latest = self.redis.xrevrange(self.name("events", key), count=1)
        return cast("str", latest[0][0]) if latest else "0-0"

    # -- pages

    def pages(self, key: str, attempt: int) -> dict[int, Window | Receipt]:
        """Page number -> its window, or the receipt once it is stored."""
        raw = self.redis.hgetall(self.name("pages", key, attempt))
        return {int(no): _page(value) for no, value in sorted(raw.items(), key=lambda item: int(item[0]))}

    def fix_window(self, key: str, attempt: int, window: Window) -> Window | Receipt:
        """Fix a page's window before it is first fetched; answers the one that stands, which never changes."""
        name = self.name("pages", key, attempt)
        if self.redis.hsetnx(name, str(window.page_no), window.model_dump_json()):
            return window
        return _page(cast("str", self.redis.hget(name, str(window.page_no))))

    def page(self, key: str, attempt: int, page_no: int) -> Window | Receipt | None:
        raw = self.redis.hget(self.name("pages", key, attempt), str(page_no))
        return _page(raw) if raw else None

    def record_receipt(self, key: str, attempt: int, receipt: Receipt, *, care_s: float) -> Receipt:
        """Keep the proof that a page is stored; the first one stands and is answered."""
        from actorline.delivery.receipt import Receipt

        keys = [self.name("pages", key, attempt), self.name("job", key), self.name("due"), self.name("tally")]
        raw = self._scripts["record_receipt"](
            keys=keys,
            args=[receipt.page_no, receipt.model_dump_json(), attempt, key, care_s, receipt.items, receipt.scanned,
                  receipt.bytes, int(receipt.is_good)],
        )  # fmt: skip
        return Receipt.model_validate_json(raw)

    def note_failed_page(self, key: str, attempt: int, page_no: int, why: str) -> None:
        """Count a page that fails into its job; the log says so once for a cause, however many pages it hits."""
        kind = re.sub(r"\d+", "#", why)[:200]  # what differs from page to page
        args: list[Any] = [attempt, page_no, why[:300], kind]
        if self._scripts["page_failed"](keys=[self.name("job", key)], args=args):
            log.warning("page-failed", job_key=key, page_no=page_no, message=why[:300])

    # -- records of a large store

    def record_blocks(self, key: str, attempt: int) -> dict[int, RecordBlock]:
        """Number -> receipt of each block of records that is stored."""
        from actorline.delivery.record_index import RecordBlock

        raw = self.redis.hgetall(self.name("records", key, attempt))
        return {int(no): RecordBlock.model_validate_json(value) for no, value in raw.items()}

    def keep_record_block(self, key: str, attempt: int, block_no: int, block: RecordBlock) -> None:
        self.redis.hset(self.name("records", key, attempt), str(block_no), block.model_dump_json())

    # -- callers

    def callers(self, key: str) -> dict[str, dict[str, Any]]:
        """Task id -> continuation of each caller that isn't known to be answered."""
        raw = self.redis.hgetall(self.name("callers", key))
        return {task_id: json.loads(caller) for task_id, caller in raw.items()}

    def forget_caller(self, key: str, task_id: str) -> None:
        self.redis.hdel(self.name("callers", key), task_id)

    def name_tasks(self, key: str, task_ids: Iterable[str], *, drop_stale: bool = False) -> None:
        """Remember which Celery tasks serve the job, so that a revoke of any of them means the job.

        `drop_stale`: the stages named so far are of an epoch that is over, and are forgotten; callers never are.
        """
        keys = [self.name("ids"), self.name("job_ids", key), self.name("stage_ids", key)]
        args: list[Any] = [key, int(drop_stale), *task_ids]
        self._scripts["name_tasks"](keys=keys, args=args)

    def key_of_task(self, task_id: str) -> str | None:
        return cast("str | None", self.redis.hget(self.name("ids"), task_id))

    # -- all jobs

    def due(self, limit: int) -> list[str]:
        """Keys of jobs that need care by now, the longest overdue first."""
        keys = self.redis.zrangebyscore(self.name("due"), "-inf", self.now(), start=0, num=limit)
        return cast("list[str]", keys)

    def postpone(self, key: str, care_s: float) -> None:
        self.redis.zadd(self.name("due"), {key: self.now() + care_s}, xx=True)

    def plan_deadline(self, key: str, at: float) -> None:
        """Let the job expire at a time, if that is its deadline then."""
        self.redis.zadd(self.name("deadlines"), {key: at})

    def make_due(self, key: str) -> None:
        self.redis.zadd(self.name("due"), {key: self.now()})

    def list_keys(self, state: State) -> Iterator[tuple[str, float]]:
        """Keys and queued_at of the jobs in a state, the newest first."""
        name, start, block = self.name("state", state), 0, 500
        while page := self.redis.zrange(name, start, start + block - 1, desc=True, withscores=True):
            yield from page
            start += block

    def queued_before(self, state: State, before: float, limit: int, *, offset: int = 0) -> list[str]:
        """Keys of jobs in a state that were queued before a time, the oldest first, from the `offset`th on."""
        keys = self.redis.zrangebyscore(self.name("state", state), "-inf", before, start=offset, num=limit)
        return cast("list[str]", keys)

    def ended_before(self, keys: Sequence[str], before: float) -> list[str]:
        """Those of the jobs that ended before a time."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(self.name("job", key), "ended_at")
            ends = pipe.execute()
        return [key for key, ended_at in zip(keys, ends, strict=True) if float(ended_at or 0) < before]

    def forget_input(self, key: str) -> None:
        """Drop the input of a job that no retry can start again."""
        self.redis.hdel(self.name("job", key), "input")

    def forget(self, job: Job) -> bool:
        """Remove an ended job after its retention; what it delivered stays where it is.

        False: it was set going again meanwhile, or a run of it is still to be aborted.
        """
        key, name = job.key, self.name
        pages = [name(kind, key, attempt) for kind in ("pages", "records") for attempt in range(1, job.attempt + 1)]
        keys = [name("job", key), name("state", job.state), name("due"), name("ids"), name("job_ids", key),
                name("runs", key), name("run_keys"), name("strays"), name("markers"),
                name("callers", key), name("events", key), name("stage_ids", key), *pages]  # fmt: skip
        if not self._scripts["forget"](keys=keys, args=[key, job.state, job.ended_at or "", digest_of(key)]):
            return False
        with self.redis.pipeline(transaction=False) as pipe:
            for state in State:  # an older version that worked beside this one may have left it where it was before
                pipe.zrem(name("state", state, job.order.account.lower()), key)
            if job.open_set:
                pipe.srem(job.open_set, key)
            pipe.execute()
        return True

    # -- leases and the installation

    def lease(self, *parts: object, seconds: float) -> Lock:
        """A lease that belongs to one execution: each call makes a new holder."""
        return Lock(self.redis, self.name("lease", *parts), timeout=seconds, blocking=False, thread_local=False)

    def installation(self, configured: str | None) -> str:
        """The name that marks our runs. Raises Unavailable if the ledger is another installation's: a copied ledger
        would take over, and abort, the other one's runs.
        """
        name = self.name("installation")
        self.redis.set(name, configured or f"al-{secrets.token_hex(4)}", nx=True)
        stored = cast("str", self.redis.get(name))
        if configured and stored != configured:
            message = (
                f"The ledger belongs to the installation {stored}, the settings say {configured}. Nothing was started. "
                "Set ACTORLINE_INSTALLATION to the ledger's, or take another ledger."
            )
            raise Unavailable(Code.REDIS_UNAVAILABLE, message)
        return stored


def _job(key: str, values: list[str | None]) -> Job | None:
    found = {name: value for name, value in zip(_JOB_FIELDS, values, strict=True) if value is not None}
    if "state" not in found:
        return None
    try:
        job = Job.model_validate(found)
        job.order  # noqa: B018 - the document is parsed here, not where the job is used
    except ValidationError as error:
        raise UnreadableJobError(key) from error
    return job


def _registered(outcome: str, found: str, state: str) -> Registered:
    if outcome == "over":
        return Registered(outcome, "", State.QUEUED, int(found))
    return Registered(outcome, found, _state(state))


def _state(text: str) -> State:
    """A state that only a newer version knows is taken for a live one: whoever loads the job is told."""
    return State(text) if text in set(State) else State.QUEUED


def _job_if_readable(key: str, values: list[str | None]) -> Job | None:
    try:
        return _job(key, values)
    except UnreadableJobError:
        log.warning("job_unreadable", job_key=key)
        return None


def _entries(raw: list[tuple[str, dict[str, str]]]) -> list[TimelineEntry]:
    return [TimelineEntry(id, float(e["at"]), e["event"], json.loads(e["data"])) for id, e in raw]  # noqa: A001


def _page(raw: str) -> Window | Receipt:
    from actorline.delivery.page_plan import Window
    from actorline.delivery.receipt import Receipt

    data = json.loads(raw)
    return Receipt.model_validate(data) if "scanned" in data else Window.model_validate(data)


def _flat(pairs: Mapping[str, object]) -> list[Any]:
    return [part for name, value in pairs.items() for part in (name, _stored(value))]


def _stored(value: object) -> Any:
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return int(value) if isinstance(value, bool) else value


def _token() -> str:
    return secrets.token_hex(12)
