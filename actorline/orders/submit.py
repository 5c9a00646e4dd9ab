"""Every order comes this way: it is checked, then registered in the ledger, on disk. Its message is sent afterwards."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import redis

from actorline.delivery.sink import SinkError, holds_root, is_below, open_sink
from actorline.errors import Code, Overloaded, Refused, Unavailable
from actorline.identifiers import AccountName, JobKey
from actorline.jobs.allowance import allowance_of
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.parse import parse_document
from actorline.jobs.document.secret import check_input_records
from actorline.jobs.job import Job
from actorline.jobs.job_key import fresh_key, key_of_task, schedule_of
from actorline.jobs.job_reservation import check_budgets
from actorline.jobs.member_key import batch_key_of
from actorline.jobs.sender import Sender
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.durability import NotDurable
from actorline.ledger.faults import describe_fault
from actorline.ledger.ledger import Ledger
from actorline.ledger.registration import Bounds, NewJob, RegisterResult
from actorline.notify.allowed_tasks import check_notify_task
from actorline.notify.notice import check_notify
from actorline.orders.default_folders import is_of_another_key
from actorline.orders.delta import check_base, check_comparison
from actorline.orders.input_url import check_input_url
from actorline.orders.parquet import check_parquet
from actorline.settings import Settings

SEND_CARE_SECS = 10.0  # the message follows within milliseconds; if its sender dies, upkeep sends it

SINK_URL_MAX_CHARS = 800  # a result has it three times, in 4 kB


class Submission(NamedTuple):
    """A document, its key in case it names none, and its sender."""

    raw: Any
    fallback_key: JobKey
    sender: Sender


@dataclass(frozen=True)
class SubmittedJob:
    key: JobKey
    created: bool
    state: State

    @property
    def has_ended(self) -> bool:
        return self.state in TERMINAL


def submit(
    raw: Any,
    *,
    ledger: Ledger,
    settings: Settings,
    trusted: bool,
    sender: Sender,
    caller: Mapping[str, Any] | None = None,
) -> SubmittedJob:
    """Register an order: a new job, or a further caller of the job with its key.

    `raw`: an order as sent, or one that `parse_document` has checked. `trusted`: it comes from this machine's user, who
    may name any sink, and any task of a service. Raises Refused (nothing is changed) and Unavailable, which names the
    key; Overloaded for a new job for which there is no room.
    """
    fallback_key = key_of_task(caller["id"]) if caller else fresh_key()
    order = _check(raw, ledger, settings, fallback_key, trusted=trusted, sender=sender, caller=caller)
    (taken,) = _take([order], ledger, settings)
    if isinstance(taken, Exception):
        raise taken
    return taken


def submit_many(
    orders: Sequence[Submission], *, ledger: Ledger, settings: Settings, trusted: bool
) -> list[SubmittedJob | Refused | Overloaded]:
    """Register orders with one wait for Redis's disk. Each is accepted or refused by itself.

    Raises Unavailable.
    """
    checked: list[NewJob | Refused] = []
    for raw, fallback_key, sender in orders:
        try:
            checked.append(_check(raw, ledger, settings, fallback_key, trusted=trusted, sender=sender))
        except Refused as refused:
            checked.append(refused)
    taken = iter(_take([each for each in checked if isinstance(each, NewJob)], ledger, settings))
    return [each if isinstance(each, Refused) else next(taken) for each in checked]


def _check(
    raw: Any,
    ledger: Ledger,
    settings: Settings,
    fallback_key: JobKey,
    *,
    trusted: bool,
    sender: Sender,
    caller: Mapping[str, Any] | None = None,
) -> NewJob:
    document = raw if isinstance(raw, JobDocument) else parse_document(raw)
    key = document.key or fallback_key
    sink = check_order(document, key, ledger, settings, trusted=trusted, sender=sender)
    allowance = allowance_of(sender, document)
    most_of_holder = settings.quotas.open_jobs if sender.holder else None
    is_fresh = document.key is None and caller is None  # a message may be redelivered after Redis has lost its job
    spelled = document.account if raw is document else raw.get("account", document.account)
    earlier_hash = None if spelled == document.account else document.hash_as_spelled(spelled)
    return NewJob(
        key,
        document,
        sink,
        fresh=is_fresh,
        caller=caller,
        sender=sender,
        allowance=allowance,
        earlier_hash=earlier_hash,
        most_of_holder=most_of_holder,
        has_console=settings.has_console,
    )


def check_order(
    document: JobDocument, key: JobKey, ledger: Ledger, settings: Settings, *, trusted: bool, sender: Sender
) -> str:
    """Return the URL of the order's sink. Raises Refused for what this sender must not order under this key."""
    sender.rights.check(document)
    check_notify(document, settings)
    check_notify_task(document, settings, trusted=trusted)
    check_input_url(document, settings)
    check_parquet(document, settings, sender)
    check_comparison(document, settings, sender)
    check_input_records(document, trusted=trusted)
    check_budgets(document, settings.budgets)
    if not trusted and schedule_of(key):
        _check_schedules_job(key, ledger)
    with reaching([key]):
        check_base(document, key, ledger, sender)
        now = ledger.now() if "{date}" in (document.sink.url or settings.default_sink) else 0
    sink = fill_sink(document, key, now, settings)
    if document.sink.url:
        _check_roots(sink, document.account, settings, trusted=trusted)
    if document.sink.url and not trusted:
        _check_default_folders(sink, key, settings)
    return sink


def _check_schedules_job(key: JobKey, ledger: Ledger) -> None:
    """Refuse to create the job of a schedule's due time; one that beat has created can be joined."""
    with reaching([key]):
        if ledger.account(key) is not None:
            return
    raise Refused(
        Code.DOCUMENT_INVALID,
        f"The key {key} has the form of a schedule's, {{schedule}}@{{due time}}: only beat creates such a job. Nothing "
        "was started. Choose another key, or order again after the due time to join the schedule's job.",
    )


def _check_default_folders(sink: str, key: JobKey, settings: Settings) -> None:
    """Refuse the default folder of a job with another key."""
    if is_of_another_key(sink, settings.default_sink, key):
        raise Refused(
            Code.SINK_REFUSED,
            f"The sink {sink} would take the default folder of a job with another key. Nothing was started. Put the "
            "job's own key there ({key}), or a name that no key has, such as `_shared`, or use another root.",
        )


def _take(orders: Sequence[NewJob], ledger: Ledger, settings: Settings) -> list[SubmittedJob | Refused | Overloaded]:
    bounds = Bounds(settings.open_jobs_max, settings.redis_max_bytes)
    with reaching([order.key for order in orders]):
        registered = ledger.register(orders, due_in_s=SEND_CARE_SECS, bounds=bounds) if orders else []
        return [_came_of(order, each, ledger) for order, each in zip(orders, registered, strict=True)]


def _came_of(order: NewJob, registered: RegisterResult, ledger: Ledger) -> SubmittedJob | Refused | Overloaded:
    if registered.outcome == "overload":
        message = (
            "There are as many open jobs as there may be (ACTORLINE_OPEN_JOBS_MAX), or Redis's memory is nearly full: "
            "the rest is kept for cancels, deadlines and existing jobs. Nothing was started. Order again later."
        )
        return Overloaded(message)
    if registered.outcome == "conflict":
        return _conflict(order, registered, ledger)
    if registered.outcome == "over" and order.allowance:
        return order.allowance.refused(registered.spent_nano_usd)
    if registered.outcome == "reserved":
        return _reserved(order.key)
    if registered.outcome == "full":
        message = (
            f"This API key already has {order.most_of_holder:,} open jobs, its limit. Nothing was started. Order again "
            "when one has ended."
        )
        return Refused(Code.QUOTA, message)
    return SubmittedJob(order.key, registered.outcome == "created", registered.state)


def _reserved(key: JobKey) -> Refused:
    batch = batch_key_of(key)
    message = (
        f"The key {key} belongs to the batch {batch}: only the batch makes its members. Nothing was started. Choose "
        "another key."
    )
    return Refused(Code.CONFLICT, message, key=batch)


def _conflict(order: NewJob, registered: RegisterResult, ledger: Ledger) -> Refused:
    (existing,) = ledger.load_many([order.key])
    message = (
        f"The key {order.key} is already used by another order{differing(order.document, existing, order.sender)}: its "
        f"hash is {registered.existing_hash}, this one's {order.document.body_hash}. Nothing was changed. Use a new "
        "key, or send the same document."
    )
    return Refused(Code.CONFLICT, message, key=order.key)


def differing(document: JobDocument, existing: Job | None, sender: Sender | None) -> str:
    """Return the fields in which an order differs from the job with its key, as a part of a sentence; empty for a
    sender that may not see the job.
    """
    if existing is None or (sender and not sender.rights.may_read(existing)):
        return ""
    fields = document.differing_fields(existing.document) or ["input"]
    return f", which differs in {', '.join(fields)}"


@contextmanager
def reaching(keys: Sequence[JobKey]) -> Iterator[None]:
    """Raise Unavailable for what Redis can't do, with a message that names the key to send the order again with."""
    again = f"send it again with the key {keys[0]}" if len(keys) == 1 else "send it again with the same key"
    try:
        yield
    except NotDurable as error:
        raise Unavailable(
            Code.LEDGER_NOT_DURABLE,
            f"{error}. No run was started, but the order may have been stored and start later: {again}, or cancel it. "
            "Does Redis have an append-only file (appendonly yes), and space on its disk?",
        ) from error
    except redis.RedisError as error:
        raise Unavailable(
            Code.REDIS_UNAVAILABLE,
            f"Redis can't be used: {describe_fault(error)}. The order may be in the ledger, but no run was started: "
            f"{again}.",
        ) from error


def fill_sink(document: JobDocument, key: JobKey, now: float, settings: Settings) -> str:
    """Return the job's own folder URL, with `{run_id}` until the run is known. Raises Refused for an invalid sink."""
    date = datetime.fromtimestamp(now, UTC).date().isoformat()
    url = (document.sink.url or settings.default_sink).replace("{key}", key).replace("{date}", date)
    try:
        sink = open_sink(url).url.replace("%7Brun_id%7D", "{run_id}")
    except SinkError as error:
        raise Refused(Code.SINK_REFUSED, f"{error} Nothing was started.") from error
    if len(sink) > SINK_URL_MAX_CHARS:
        raise Refused(
            Code.SINK_REFUSED,
            f"The sink's URL has {len(sink):,} characters; at most {SINK_URL_MAX_CHARS} fit. Nothing was started.",
        )
    return sink


def _check_roots(sink: str, account: AccountName, settings: Settings, *, trusted: bool) -> None:
    """Refuse a sink that contains other jobs' folders, and a service's sink outside its account's roots."""
    roots = settings.sink_roots_of(account)
    if any(holds_root(sink, root) for root in (*roots, settings.default_sink)):
        raise Refused(
            Code.SINK_REFUSED,
            f"The sink {sink} is the folder of all jobs' sinks. Nothing was started. Choose a folder inside it.",
        )
    if not (trusted or any(is_below(sink, root) for root in roots)):
        named = " or ".join(root.partition("{")[0] for root in roots)
        raise Refused(
            Code.SINK_REFUSED,
            f"The sink {sink} is outside the allowed roots. Nothing was started. Choose a URL below {named}, or have "
            "the operator add a root to ACTORLINE_SINK_ROOTS.",
        )
