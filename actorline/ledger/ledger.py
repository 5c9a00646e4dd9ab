"""The ledger: the jobs' state in Redis, moved by atomic scripts only. The truth; Celery's messages are transport.

Times are unix seconds by Redis `TIME`. Every script is safe to repeat: redis-py repeats one whose reply was lost.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from redis.exceptions import LockError
from redis.lock import Lock

from actorline.errors import Code, Overloaded, Unavailable
from actorline.identifiers import AccountName, ExecutionToken, JobKey, RunId
from actorline.jobs.fields import NOW, STORED_AS
from actorline.jobs.job import DEFAULTS, FIELDS, Job, StopWish
from actorline.jobs.job_key import is_key
from actorline.jobs.states import LIVE, TERMINAL, Event, State, sources, target
from actorline.jobs.timeline_event import TimelineEvent, level_of
from actorline.ledger.admission.budgets import BudgetCounts, OverBudget
from actorline.ledger.agenda import Agenda
from actorline.ledger.batches import Batches, NoPlaceInBatch
from actorline.ledger.callers import Callers, Continuations, read_callers
from actorline.ledger.change import UNCHANGED, Change, Due
from actorline.ledger.durability import Server, check_server, read_server
from actorline.ledger.pages import Pages, read_page, read_pages
from actorline.ledger.registration import (
    UNBOUNDED,
    Bounds,
    NewJob,
    RegisterResult,
    batch_names,
    registered,
    registration,
)
from actorline.ledger.retention import Retention
from actorline.ledger.runs import Runs
from actorline.ledger.store import Client, Store, call_token, flat
from actorline.ledger.stored_job import read_job, read_job_if_possible, read_state
from actorline.ledger.timeline import ENTRIES_MAX, Timeline
from actorline.ledger.webhooks import Webhooks
from actorline.logs import Logger

if TYPE_CHECKING:
    from actorline.delivery.page_plan import Window
    from actorline.delivery.receipt import Receipt
    from actorline.jobs.allowance import Allowance

log = Logger(__name__)

CLAIM_POLL_SECS: Final = 10  # a poll is one GET of at most that long


class Lease(Lock):
    """Belongs to one execution. One that has run out is another's by now: then `release` does nothing."""

    def hold(self, token: str) -> None:
        """Be the lease that a script took with a token."""
        self.local.token = token.encode()

    @property
    def token(self) -> bytes:
        """Return what Redis has stored as long as the lease is ours; empty before it was taken."""
        return self.local.token or b""

    def release(self) -> None:
        try:
            super().release()
        except LockError:
            log.warning("lease_lost", lease=str(self.name))


class Ledger:
    """Jobs come in (`register`), are looked at (`load`), and change (`change`, `move`); its parts hold what belongs to
    them: `runs`, `pages`, `timeline`, `callers`, `budgets`, `batches`, `webhooks`; and `agenda`, what is due when;
    `retention`, what is forgotten.
    """

    def __init__(self, client: Client, namespace: str, *, replicas: int = 0) -> None:
        """Open the ledger of a namespace; `replicas`: see `Disk`."""
        self._store = Store(client, namespace, replicas=replicas)
        self.timeline = Timeline(self._store)
        self.agenda = Agenda(self._store)
        self.runs = Runs(self._store, self.agenda)
        self.pages = Pages(self._store)
        self.callers = Callers(self._store)
        self.retention = Retention(self._store)
        self.webhooks = Webhooks(self._store)
        self.batches = Batches(self._store)
        self.budgets = BudgetCounts(self._store)
        self.redis = self._store.redis
        self.namespace = namespace
        self.name = self._store.name
        self.run_script = self._store.run
        self.last_beat = 0.0
        """See `continuity.py`: unix seconds of the last beat that this process saw in the ledger."""

    def server(self) -> Server:
        """Return what Redis says of itself."""
        return read_server(self.redis)

    def check_server(self) -> None:
        """Raise Unavailable if Redis may lose what it is told: a job's start would be paid for twice."""
        check_server(self.redis)

    def is_nearly_full(self, max_bytes: int | None, *, more_bytes: int) -> bool:
        """Return whether `more_bytes` would leave too little of Redis's memory, of which `max_bytes` may be used."""
        return self._store.disk.is_nearly_full(max_bytes, more_bytes=more_bytes)

    def now(self) -> float:
        """Return unix seconds by Redis's clock."""
        return self._store.now()

    def register(
        self, orders: Sequence[NewJob], *, due_in_s: float, bounds: Bounds = UNBOUNDED
    ) -> list[RegisterResult]:
        """Create each job, unless that would exceed the bounds, or join the one that exists, and return when all that
        is on Redis's disk.

        A caller is kept either way, but in a conflict. Raises NotDurable, and Overloaded for a batch's members while
        memory is short; their number is bounded by the batch.
        """
        more_bytes = sum(len(order.document.input_body) for order in orders)
        is_full = self.is_nearly_full(bounds.redis_bytes, more_bytes=more_bytes)
        if is_full and any(order.member for order in orders):
            raise Overloaded("Redis's memory is nearly full. The batch makes no more members until there is room.")
        bound = 0 if is_full else bounds.open_jobs
        calls = [
            registration(order, token=call_token(), due_in_s=due_in_s, most_open=bound, name=self.name)
            for order in orders
        ]
        results = [registered(*reply) for reply in self._store.disk.run(self._store.scripts["register"], calls)]
        for order, each in zip(orders, results, strict=True):
            if each.outcome == "created":
                log.info(TimelineEvent.QUEUED, job_key=order.key)
        return results

    def spend(self, allowance: Allowance) -> tuple[bool, int]:
        """Take an allowance, or give it back if it is negative. Return whether the day's limit allowed it, and what
        was taken before.
        """
        keys = [self.name("spent", allowance.holder), self.name("spent_call", call_token())]
        is_taken, spent = self._store.run("spend", keys, [allowance.nano_usd, allowance.limit_nano_usd])
        return bool(is_taken), int(spent)

    def load(self, key: JobKey) -> Job | None:
        """Return the job without its input, or None, also for what can't be a key. Raises UnreadableJob."""
        if not is_key(key):
            return None
        return read_job(key, self.redis.hmget(self.name("job", key), FIELDS))

    def load_with_callers(self, key: JobKey) -> tuple[Job | None, Continuations]:
        """Return the job and its callers that aren't known to be answered, in one command."""
        job, callers = self._look(key, "callers", self.name("callers", key))
        return job, read_callers(_as_dict(callers))

    def load_with_runs(self, key: JobKey) -> tuple[Job | None, list[RunId]]:
        """Return the job and every run id ever seen for its attempt, the first one first."""
        job, runs = self._look(key, "runs", self.name("runs", key))
        return job, json.loads(runs or "[]")

    def load_with_pages(self, key: JobKey) -> tuple[Job | None, dict[int, Window | Receipt]]:
        """Return the job and its attempt's pages: number -> window, or the receipt once it is stored."""
        job, pages = self._look(key, "pages", self.name("pages", key))
        return job, read_pages(_as_dict(pages))

    def load_with_page(self, key: JobKey, attempt: int, page_no: int) -> tuple[Job | None, Window | Receipt | None]:
        """Return the job and one page of an attempt, None while that isn't planned."""
        job, page = self._look(key, "page", self.name("pages", key), attempt, page_no)
        return job, read_page(page) if page else None

    def _look(self, key: JobKey, with_: str, name: str, *which: int) -> tuple[Job | None, Any]:
        values, more = self._store.run("look", [self.name("job", key), name], [with_, *which])
        return read_job(key, values), more

    def load_many(self, keys: Sequence[JobKey]) -> list[Job | None]:
        """Return the jobs, in one round trip. One that can't be read is logged and None: it must not hide the rest."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hmget(self.name("job", key), FIELDS)
            return [read_job_if_possible(key, values) for key, values in zip(keys, pipe.execute(), strict=True)]

    def document_bytes(self, keys: Sequence[JobKey]) -> list[int]:
        """Return the size of each job's document."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hstrlen(self.name("job", key), "document")
            return cast("list[int]", pipe.execute())

    def has_field(self, key: JobKey, name: str) -> bool:
        """Return whether the job's hash holds the field."""
        return is_key(key) and bool(self.redis.hexists(self.name("job", key), name))

    def stop_wish_and_state(self, key: JobKey) -> tuple[StopWish | None, State | None]:
        """Return what a page being fetched has to know of its job, in one short trip."""
        wish, state = self.redis.hmget(self.name("job", key), STORED_AS["stop_wish"], "state")
        return StopWish(wish) if wish else None, read_state(state) if state else None

    def remember_delivery(self, likeness: str, key: JobKey, seconds: int) -> None:
        """Remember the latest delivery among jobs that are alike."""
        self.redis.set(self.name("like", likeness), key, ex=seconds)

    def last_delivery(self, likeness: str) -> JobKey | None:
        """Return the key of the last delivered job of this likeness, if there is one."""
        return cast("JobKey | None", self.redis.get(self.name("like", likeness)))

    def account(self, key: JobKey) -> AccountName | None:
        account = cast("str | None", self.redis.hget(self.name("job", key), "account"))
        return AccountName(account.lower()) if account else None  # a job of an earlier version may have capitals

    def load_input(self, key: JobKey) -> bytes:
        return (self.redis.hget(self.name("job", key), "input") or "{}").encode()

    def input_sha256(self, key: JobKey) -> str | None:
        """Return that of a batch's member, also after its input was dropped; None for other jobs."""
        return cast("str | None", self.redis.hget(self.name("job", key), "input_sha256"))

    def change(self, key: JobKey, change: Change, *, epoch: int | None, states: Iterable[State] = LIVE) -> int | None:
        """Change the job if it is in one of `states`, has `epoch` (None: any) and every guard's value.

        Return the epoch that the job has now, or None if the change was refused: another execution was first.
        Raises NotDurable for a change that must be `on_disk`, and can't be, OverBudget for one with a reservation for
        which a budget has no room, and NoPlaceInBatch for one with `members_max`. An end must be on the disk too if a
        replica may be promoted: callers are told.
        """
        keys, args = self._change_call(key, change, epoch, states)
        if change.on_disk or (change.to in TERMINAL and self._store.disk.has_replicas):
            reply = self._store.run_on_disk("change", keys, args, or_warn=change.or_warn)
        else:
            reply = self._store.run("change", keys, args)
        return self._changed(key, change, reply)

    def change_each(self, keys: Sequence[JobKey], change: Change, *, states: Iterable[State] = LIVE) -> list[JobKey]:
        """Change many jobs in the same way, with one wait for the disk, and return those that were changed."""
        calls = [self._change_call(key, change, None, states) for key in keys]
        replies = self._store.run_each_on_disk("change", calls, or_warn=change.or_warn)
        return [key for key, reply in zip(keys, replies, strict=True) if self._changed(key, change, reply) is not None]

    def _change_call(
        self, key: JobKey, change: Change, epoch: int | None, states: Iterable[State]
    ) -> tuple[list[str], list[Any]]:
        """Return what the script is called with."""
        guards = _by_stored_name({**change.guards, **({change.once: None} if change.once else {})})
        fields = _by_stored_name({**change.fields, **({change.once: NOW} if change.once else {})})
        keys = [
            self.name("job", key),
            self.name("events", key),
            self.name("due"),
            self.name("tally"),
            self.budgets.prefix,
            *batch_names(key, self.name),
        ]
        args = [key, call_token(), self.name("state") + ":", ",".join(states), "" if epoch is None else epoch,
                change.to or "", int(change.next_epoch), _due(change.due_in_s),
                change.event or "", json.dumps(change.data), ENTRIES_MAX, int(change.to in TERMINAL),
                "" if change.members_max is None else change.members_max,
                len(guards), *flat(guards), *flat(_without_defaults(fields))]  # fmt: skip
        return keys, args

    def _changed(self, key: JobKey, change: Change, reply: Any) -> int | None:
        """Return the job's epoch if it was changed, and log the event. Raises OverBudget and NoPlaceInBatch."""
        outcome, now_epoch, _, more, *run = reply
        if outcome == "over" and (reservation := change.fields.get("reservation")):
            raise OverBudget(reservation, [reservation.entries[int(number)] for number in more.split(",")])
        if outcome == "full":
            raise NoPlaceInBatch
        if outcome != "won":
            return None
        if change.event:
            about = {"job_key": key, "epoch": int(now_epoch), **_run_facts(*run), **change.data}
            log.log(level_of(change.event, change.data), change.event, **about)
        return int(now_epoch)

    def move(self, job: Job, event: Event, change: Change) -> bool:
        """Take the job, as it was loaded, along the state table. False: another execution changed it meanwhile."""
        moved = replace(change, to=target(event))
        return self.change(job.key, moved, states=sources(event), epoch=job.epoch) is not None

    def claim_poll(self, key: JobKey, epoch: int, number: int, execution: ExecutionToken) -> Job | None:
        """Return the job if this execution may do the poll; None if another one does, or has done it."""
        args: list[Any] = [epoch, number, execution, CLAIM_POLL_SECS]
        values = self._store.run("claim_poll", [self.name("job", key)], args)
        return read_job(key, values) if values else None

    def newest_keys(self, states: Iterable[State], limit: int) -> list[JobKey]:
        """Return the newest jobs in some states, the newest first; at most `limit` of each state."""
        with self.redis.pipeline(transaction=False) as pipe:
            for state in states:
                pipe.zrange(self.name("state", state), 0, limit - 1, desc=True, withscores=True)
            entries = [entry for found in pipe.execute() for entry in found]
        return [key for key, _ in sorted(entries, key=lambda entry: -entry[1])]

    def list_keys(self, state: State) -> Iterator[tuple[JobKey, float]]:
        """Yield key and queued_at of the jobs in a state, the newest first."""
        name, start, block = self.name("state", state), 0, 500
        while page := self.redis.zrange(name, start, start + block - 1, desc=True, withscores=True):
            yield from page
            start += block

    # -- leases and the installation

    def lease(self, *parts: object, seconds: float) -> Lease:
        """Return a lease that belongs to one execution: each call makes a new holder."""
        return Lease(self.redis, self.name("lease", *parts), timeout=seconds, blocking=False, thread_local=False)

    def known_installation(self) -> str | None:
        """Return the name that marks our runs; None: an unused ledger has none yet."""
        return cast("str | None", self.redis.get(self.name("installation")))

    def installation(self, configured: str | None) -> str:
        """Return the name that marks our runs.

        Raises Unavailable if the ledger belongs to another installation: a copied ledger would take over, and abort,
        the other installation's runs.
        """
        name = self.name("installation")
        self.redis.set(name, configured or f"al-{secrets.token_hex(4)}", nx=True)
        stored = cast("str", self.redis.get(name))
        if configured and stored != configured:
            raise Unavailable(
                Code.REDIS_UNAVAILABLE,
                f"The ledger belongs to the installation {stored}, but the settings say {configured}. Nothing was "
                "started. Set ACTORLINE_INSTALLATION to the ledger's, or use another ledger.",
            )
        return stored


def _as_dict(flat: Sequence[str]) -> dict[str, str]:
    """Return a hash that a script returned as a list."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _due(due_in_s: Due) -> float | str:
    if due_in_s is None:
        return "none"
    return "" if due_in_s == UNCHANGED else due_in_s


def _by_stored_name(fields: Mapping[str, object]) -> dict[str, object]:
    return {STORED_AS.get(name, name): value for name, value in fields.items()}


def _without_defaults(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the fields with None, which takes a field away, for those that are read as the same when they are away."""
    return {name: None if value == DEFAULTS.get(name) else value for name, value in fields.items()}


def _run_facts(attempt: str = "", run_id: str = "") -> dict[str, object]:
    """Return what a line of the log says of the job's run, as far as it is known."""
    return {**({"attempt": int(attempt)} if attempt else {}), **({"run_id": run_id} if run_id else {})}
