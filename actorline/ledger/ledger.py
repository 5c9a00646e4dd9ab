"""The ledger: the jobs' state in Redis, changed by atomic scripts only. The truth; Celery's messages are transport.

Times are unix seconds by Redis `TIME`. Every script is safe to repeat: redis-py repeats one whose reply was lost.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import BaseModel, ValidationError
from redis.exceptions import LockError
from redis.lock import Lock

from actorline.budgets.reservation import OwnBudget
from actorline.errors import Code, Overloaded, Unavailable
from actorline.identifiers import AccountName, ExecutionToken, JobKey
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.fields import NOW, STORED_AS
from actorline.jobs.job import FIELDS, Job, StopWish
from actorline.jobs.job_key import is_key
from actorline.jobs.member_key import split_member_key
from actorline.jobs.states import LIVE, TERMINAL, Event, State, sources, target
from actorline.jobs.timeline_event import TimelineEvent, level_of
from actorline.ledger.admission.budgets import BudgetCounts, OverBudget
from actorline.ledger.agenda import Agenda
from actorline.ledger.batches import Batches
from actorline.ledger.callers import Callers, Continuations, read_callers
from actorline.ledger.change import UNCHANGED, Change, Due
from actorline.ledger.durability import Call, Server, check_server, read_server
from actorline.ledger.pages import Pages
from actorline.ledger.retention import Retention
from actorline.ledger.runs import Runs
from actorline.ledger.store import Client, Store
from actorline.ledger.timeline import ENTRIES_MAX, Timeline
from actorline.ledger.webhooks import Webhooks
from actorline.logs import Logger

if TYPE_CHECKING:
    from actorline.jobs.allowance import Allowance
    from actorline.jobs.sender import Sender

log = Logger(__name__)

CLAIM_POLL_SECS: Final = 10  # a poll is one GET of at most that long


@dataclass(frozen=True)
class NewJob:
    """An order that was checked. `sink`: its own folder's URL; `fresh`: we made the key ourselves; `caller`: a Celery
    task's `id` and continuation; `allowance`: what it takes of its API key's day; `most_open`: how many open jobs its
    API key may have; `budget`: one that it shares with others, besides those of the settings: see `batch_budget`;
    `member`: of a batch, its batch's key and its number there.
    """

    key: JobKey
    document: JobDocument
    sink: str
    fresh: bool
    caller: Mapping[str, Any] | None = None
    sender: Sender | None = None
    allowance: Allowance | None = None
    earlier_hash: str | None = None
    most_open: int | None = None
    has_console: bool = True
    budget: OwnBudget | None = None
    member: tuple[JobKey, int] | None = None


@dataclass(frozen=True)
class Bounds:
    """Beyond which no job is created: how many may be open, and how much of Redis may be taken; None: any."""

    open_jobs: int | None = None
    redis_bytes: int | None = None


UNBOUNDED: Final = Bounds()


@dataclass(frozen=True)
class RegisterResult:
    """What came of an order: `created`, `joined` the job that exists, in `conflict` with it, `reserved` if the key is a
    batch's or of the form of its members', `stopped` if its batch makes no more members, `full` if its API key has all
    the open jobs it may have, `overload` if it is beyond the bounds of all, or `over` its key's day: then
    `spent_nano_usd` is what its orders take already.
    """

    outcome: str
    existing_hash: str
    state: State
    spent_nano_usd: int = 0


class Lease(Lock):
    """Belongs to one execution. One that has run out is another's by now: then `release` does nothing."""

    def release(self) -> None:
        try:
            super().release()
        except LockError:
            log.warning("lease_lost", lease=str(self.name))


class UnreadableJob(Unavailable):
    """A job that this version can't read; a newer one wrote it."""

    def __init__(self, key: JobKey) -> None:
        message = (
            f"The job {key} can't be read by this version of Actorline: a newer one wrote it, or its entry is damaged. "
            "Nothing was changed, and its run, if there is one, may be billing. Update this installation."
        )
        super().__init__(Code.INTERNAL, message)


class Ledger:
    """Jobs come in (`register`), are looked at (`load`), and change (`change`, `move`); its parts hold what belongs to
    them: `runs`, `pages`, `timeline`, `callers`, `budgets`; and `agenda`, what is due when; `retention`, what is
    forgotten.
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

    def aliases(self) -> list[str]:
        """Return the accounts that were ever used."""
        return cast("list[str]", self.redis.hkeys(self.name("account_owners")))

    def now(self) -> float:
        """Return unix seconds by Redis's clock."""
        return self._store.now()

    def register(self, orders: Sequence[NewJob], *, care_s: float, bounds: Bounds = UNBOUNDED) -> list[RegisterResult]:
        """Create each job, unless that would exceed the bounds, or join the one that exists, and return when all that
        is on Redis's disk.

        A caller is kept either way, but in a conflict. Raises NotDurable, and Overloaded for a batch's members while
        memory is short; their number is bounded by the batch.
        """
        is_full = self._store.disk.is_nearly_full(bounds.redis_bytes)
        if is_full and any(order.member for order in orders):
            raise Overloaded("Redis's memory is nearly full. The batch makes no more members until there is room.")
        bound = 0 if is_full else bounds.open_jobs
        replies = self._store.disk.run(
            self._store.scripts["register"], [self._registration(order, care_s, bound) for order in orders]
        )
        registered = [_registered(*reply) for reply in replies]
        for order, each in zip(orders, registered, strict=True):
            if each.outcome == "created":
                log.info(TimelineEvent.QUEUED, job_key=order.key)
        return registered

    def _registration(self, order: NewJob, care_s: float, most_open: int | None) -> Call:
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
            **({"own_budget": order.budget.model_dump_json()} if order.budget else {}),
            **({"ordered_by": sender.holder} if sender and sender.holder else {}),
            **({"batch": order.member[0]} if order.member else {}),
        }
        keys = [self.name("job", key), self.name("events", key), self.name("callers", key), self.name("ids"),
                self.name("job_ids", key), self.name("due"), self.name("state", State.QUEUED),
                self.name("tally"), self.name("spent", allowance.holder if allowance else ""),
                self.name("state", State.QUEUED, document.account.lower()),
                self.name("open", sender.holder if sender else ""), self.name("deadlines"),
                self.name("batch", key), *self._batch_of(key)]  # fmt: skip
        args = [key, document.body_hash(), _token(), care_s, ENTRIES_MAX,
                caller["id"] if caller else "", json.dumps(caller) if caller else "",
                json.dumps(sender.facts() if sender else {}),
                allowance.nano_usd if allowance else 0, allowance.limit_nano_usd if allowance else "",
                order.earlier_hash or "",
                "" if order.most_open is None else order.most_open,
                "" if document.deadline_secs is None else document.deadline_secs,
                order.member[1] if order.member else "",
                "" if most_open is None or order.member else most_open, self.name("state") + ":", ",".join(LIVE),
                *(part for pair in fields.items() for part in pair)]  # fmt: skip
        return keys, args

    def _batch_of(self, key: JobKey) -> tuple[str, str]:
        """Return the Redis keys of the batch that a job with this key would be a member of."""
        batch, _ = split_member_key(key) or (key, 0)
        return self.name("batch", batch), self.name("batch_live", batch)

    def spend(self, allowance: Allowance) -> tuple[bool, int]:
        """Take an allowance, or give it back if it is negative. Return whether the day's limit allowed it, and what
        was taken before.
        """
        keys, args = [self.name("spent", allowance.holder)], [allowance.nano_usd, allowance.limit_nano_usd]
        is_taken, spent = self._store.run("spend", keys, args)
        return bool(is_taken), int(spent)

    def load(self, key: JobKey) -> Job | None:
        """Return the job without its input, or None, also for what can't be a key. Raises UnreadableJob."""
        if not is_key(key):
            return None
        return _job(key, self.redis.hmget(self.name("job", key), FIELDS))

    def load_with_callers(self, key: JobKey) -> tuple[Job | None, Continuations]:
        """Return the job and its callers that aren't known to be answered, in one round trip."""
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.hmget(self.name("job", key), FIELDS)
            pipe.hgetall(self.name("callers", key))
            values, callers = pipe.execute()
        return _job(key, values), read_callers(callers)

    def load_many(self, keys: Sequence[JobKey]) -> list[Job | None]:
        """Return the jobs, in one round trip. One that can't be read is logged and None: it must not hide the rest."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hmget(self.name("job", key), FIELDS)
            return [_job_if_readable(key, values) for key, values in zip(keys, pipe.execute(), strict=True)]

    def document_bytes(self, keys: Sequence[JobKey]) -> list[int]:
        """Return the size of each job's document."""
        with self.redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hstrlen(self.name("job", key), "document")
            return cast("list[int]", pipe.execute())

    def has_field(self, key: JobKey, name: str) -> bool:
        """Return whether the job's hash holds the field."""
        return bool(self.redis.hexists(self.name("job", key), name))

    def stop_wish_and_state(self, key: JobKey) -> tuple[StopWish | None, State | None]:
        """Return what a page being fetched has to know of its job, in one short trip."""
        wish, state = self.redis.hmget(self.name("job", key), STORED_AS["stop_wish"], "state")
        return StopWish(wish) if wish else None, _state(state) if state else None

    def remember_delivery(self, likeness: str, key: JobKey, seconds: int) -> None:
        """Remember the latest delivery among jobs that are alike."""
        self.redis.set(self.name("like", likeness), key, ex=seconds)

    def last_delivery(self, likeness: str) -> JobKey | None:
        """Return the key of it."""
        return cast("JobKey | None", self.redis.get(self.name("like", likeness)))

    def account(self, key: JobKey) -> AccountName | None:
        account = cast("str | None", self.redis.hget(self.name("job", key), "account"))
        return AccountName(account.lower()) if account else None  # a job of an earlier version may have capitals

    def load_input(self, key: JobKey) -> bytes:
        return (self.redis.hget(self.name("job", key), "input") or "{}").encode()

    def change(self, key: JobKey, change: Change, *, epoch: int | None, states: Iterable[State] = LIVE) -> int | None:
        """Change the job if it is in one of `states`, has `epoch` (None: any) and every guard's value.

        Return the epoch that the job has now, or None if the change was refused: another execution was first.
        Raises NotDurable for a change that must be `on_disk`, and can't be, and OverBudget for one with a reservation
        for which a budget has no room.
        """
        guards = {**change.guards, **({change.once: ""} if change.once else {})}
        fields = {**change.fields, **({change.once: NOW} if change.once else {})}
        keys = [self.name("job", key), self.name("events", key), self.name("due"), self.name("tally"),
                self.budgets.prefix, *self._batch_of(key)]  # fmt: skip
        args = [key, _token(), self.name("state") + ":", ",".join(states), "" if epoch is None else epoch,
                change.to or "", int(change.next_epoch), _due(change.due_in_s),
                change.event or "", json.dumps(change.data), ENTRIES_MAX, int(change.to in TERMINAL),
                len(guards), *_flat(guards), *_flat(fields)]  # fmt: skip
        if change.on_disk:
            outcome, now_epoch, _, more, *run = self._store.run_on_disk("change", keys, args, or_warn=change.or_warn)
        else:
            outcome, now_epoch, _, more, *run = self._store.run("change", keys, args)
        if outcome == "over" and (reservation := change.fields.get("reservation")):
            raise OverBudget(reservation, [reservation.entries[int(number)] for number in more.split(",")])
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

    def claim_poll(self, key: JobKey, epoch: int, number: int, execution: ExecutionToken) -> bool:
        args: list[Any] = [epoch, number, execution, CLAIM_POLL_SECS]
        return bool(self._store.run("claim_poll", [self.name("job", key)], args))

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
        """Return the name that marks our runs; None: the ledger has none yet."""
        return cast("str | None", self.redis.get(self.name("installation")))

    def has_installation(self) -> bool:
        """Return whether there is a name that marks our runs: an unused ledger has none."""
        return bool(self.redis.exists(self.name("installation")))

    def installation(self, configured: str | None) -> str:
        """Return the name that marks our runs.

        Raises Unavailable if the ledger belongs to another installation: a copied ledger would take over, and abort,
        the other one's runs.
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


def _job(key: JobKey, values: list[str | None]) -> Job | None:
    found = {name: value for name, value in zip(FIELDS, values, strict=True) if value}
    if "state" not in found:
        return None
    try:
        return Job.read(found)
    except ValidationError as error:
        raise UnreadableJob(key) from error


def _registered(outcome: str, found: str, state: str) -> RegisterResult:
    if outcome == "over":
        return RegisterResult(outcome, "", State.QUEUED, int(found))
    return RegisterResult(outcome, found, _state(state))


def _state(text: str) -> State:
    """Return a state; one that only a newer version knows counts as a live one, and loading its job says so."""
    return State(text) if text in set(State) else State.QUEUED


def _job_if_readable(key: JobKey, values: list[str | None]) -> Job | None:
    try:
        return _job(key, values)
    except UnreadableJob:
        log.warning("job_unreadable", job_key=key)
        return None


def _due(due_in_s: Due) -> float | str:
    if due_in_s is None:
        return "none"
    return "" if due_in_s == UNCHANGED else due_in_s


def _flat(pairs: Mapping[str, object]) -> list[Any]:
    return [part for name, value in pairs.items() for part in (STORED_AS.get(name, name), _stored(value))]


def _stored(value: object) -> Any:
    if value is None:
        return ""
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return int(value) if isinstance(value, bool) else value


def _run_facts(attempt: str = "", run_id: str = "") -> dict[str, object]:
    """Return what a line of the log says of the job's run, as far as it is known."""
    return {**({"attempt": int(attempt)} if attempt else {}), **({"run_id": run_id} if run_id else {})}


def _token() -> str:
    return secrets.token_hex(12)
