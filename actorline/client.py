"""For Python services: order jobs, ask after them, read what they delivered. A thin shell over `send_task`.

    with Client("redis://localhost:6379/0", "redis://localhost:6379/1") as client:
        order = client.submit({"key": "prices-2026-11-23", "actor": "apify/web-scraper"})
        result = client.wait(order, timeout=3600)
        for item in client.iter_items(result):
            ...

Never wait inside a Celery task (Celery refuses it with RuntimeError): the slot would be blocked for as long as the run
lasts. There, put `actorline.run` into a chain, or give it a `link`. In an event loop, call a Client in a thread.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, overload

from celery.exceptions import TimeoutError as CeleryTimeoutError
from celery.result import AsyncResult, assert_will_not_block  # type: ignore[attr-defined]  # celery-types lacks it
from kombu.exceptions import OperationalError
from pydantic import TypeAdapter, ValidationError
from redis import RedisError

from actorline.batches.batch import BatchResult
from actorline.batches.delivery import BatchDelivery, open_batch
from actorline.batches.document import BatchDocument, parse_batch
from actorline.batches.inputs.listed import listed_inputs
from actorline.delivery.manifest import ChangeKind
from actorline.delivery.read_back import Delivery, NoDelivery, open_delivery
from actorline.errors import Code, Refused, Unavailable
from actorline.identifiers import JobKey
from actorline.isolated_celery import IsolatedCelery
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job_key import fresh_key
from actorline.jobs.job_result import JobResult
from actorline.jobs.outcome import exception_for
from actorline.jobs.states import TERMINAL
from actorline.ledger.faults import describe_fault
from actorline.settings import load_settings

STATUS_EVERY_SECS: Final = 1.0
LOOK_UP_SECS: Final = 5.0
SOCKET_SECS: Final = 3  # both bounds together: a Redis that is gone is noticed within a second, a frozen one within 15
RETRIES: Final = {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.4}
CELERY_SETTINGS: Final[Mapping[str, Any]] = {
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "broker_connection_timeout": SOCKET_SECS,
    "broker_transport_options": {"socket_timeout": SOCKET_SECS, "socket_connect_timeout": SOCKET_SECS},
    "result_backend_thread_safe": True,  # one for all threads: an order may be waited for in another one
    "redis_socket_timeout": SOCKET_SECS,
    "redis_socket_connect_timeout": SOCKET_SECS,
    "task_publish_retry_policy": RETRIES,
    "result_backend_transport_options": {"retry_policy": RETRIES},
}


@dataclass(frozen=True)
class Order:
    """A job as this caller ordered it.

    `id`: the Celery task id under which the result comes. `result`: Celery's view of it; while the job is running its
    `state` is PROGRESS and its `info` is `{key, state, run_id, run_status, items, items_total, cost_usd}`.
    """

    key: str
    id: str
    result: "AsyncResult[Any]"


@dataclass(frozen=True)
class BatchOrder:
    """A batch as this caller ordered it; see `Order`. Its `info` in PROGRESS counts members by state."""

    key: JobKey
    id: str
    result: "AsyncResult[Any]"


Result = JobResult | BatchResult
_RESULT: Final[TypeAdapter[Result]] = TypeAdapter(Result)


class Client:
    """An Actorline by its two addresses (`actorline up` prints them). Threads may share one; processes may not.

    They are checked at once: ValueError says what is wrong with one. Celery's own environment variables are ignored.

    Every method that sends or asks raises Unavailable if Redis can't be reached; the message says what to repeat.
    """

    def __init__(self, broker: str, backend: str, *, queue: str = "actorline") -> None:
        self._celery = IsolatedCelery(
            "actorline-client", broker=broker, backend=backend, settings=dict(CELERY_SETTINGS), set_as_current=False
        )
        self._queue = queue

    @classmethod
    def from_settings(cls) -> Self:
        """Return a client of the Actorline that the environment and `actorline.toml` name. Raises SettingsError."""
        settings = load_settings()
        return cls(settings.broker, settings.results, queue=settings.namespace)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._results.result_consumer.stop()
        self._results.client.connection_pool.disconnect()
        self._celery.close()

    def submit(self, document: Mapping[str, Any] | JobDocument) -> Order:
        """Order a job. Safe to repeat under the same key: the same document joins the job that exists.

        Raises Refused at once for a bad document. What only the worker knows (the key's other documents, the sink)
        comes as JobRefused from `wait`.
        """
        raw = document.model_dump(mode="json", exclude_unset=True) if isinstance(document, JobDocument) else document
        checked = parse_document(raw)
        key = checked.key or fresh_key()
        name, target = checked.target
        with _reaching(f"The order may have been accepted: send it again with the key {key}."):
            result = self._celery.send_task(
                "actorline.run",
                [{**raw, "key": key}],
                queue=self._queue,
                argsrepr=f"(key={key}, {name}={target})",  # Celery would write the input into the message's headers
            )
            self._results.remove_pending_result(result)  # whoever never waits must not stay subscribed to it
        return Order(key, result.id, result)

    def submit_batch(self, document: Mapping[str, Any] | BatchDocument) -> BatchOrder:
        """Order many inputs as one batch. Safe to repeat under the same key: the same document joins the batch.

        Raises Refused at once for a bad document or input. `wait` returns its one result, `iter_items` the rows of all
        members, in the order of the inputs.
        """
        raw = document.model_dump(mode="json", exclude_unset=True) if isinstance(document, BatchDocument) else document
        checked = parse_batch(raw)
        listed_inputs(checked)
        key = JobKey(checked.key or fresh_key())
        with _reaching(f"The order may have been accepted: send it again with the key {key}."):
            result = self._celery.send_task(
                "actorline.batch", [{**raw, "key": key}], queue=self._queue, argsrepr=f"(key={key})"
            )
            self._results.remove_pending_result(result)
        return BatchOrder(key, result.id, result)

    def status(self, key: str, timeout: float = 10) -> Result | None:
        """Return the job or batch as far as it is known; None for an unknown key. Raises TimeoutError if no worker
        replies in `timeout` s.
        """
        return self._ask("actorline.status", key, timeout, "Nothing was changed: ask again.", expires=timeout)

    def cancel(self, key: str, timeout: float = 10) -> Result | None:
        """Let a job or batch be cancelled and its runs aborted. Returns the job as it was then, None: unknown key.

        Safe to repeat. The job has ended when `wait` says so. After a TimeoutError the wish is still in the queue, and
        is obeyed.
        """
        return self._ask("actorline.cancel", key, timeout, "The job may still be running: cancel it again.")

    @overload
    def wait(self, job: BatchOrder, timeout: float) -> BatchResult: ...
    @overload
    def wait(self, job: Order, timeout: float) -> JobResult: ...
    @overload
    def wait(self, job: str, timeout: float) -> Result: ...
    def wait(self, job: Order | BatchOrder | str, timeout: float) -> Result:
        """Wait for the end of a job or batch and return its result (DELIVERED or PARTIAL).

        Raises JobFailed, JobCancelled, JobExpired or JobRefused, whose one argument is the result as a JSON string;
        Refused for a key that isn't known; TimeoutError after `timeout` seconds: the job is still running, wait again.
        """
        assert_will_not_block()
        return self._wait_for_key(job, timeout) if isinstance(job, str) else self._wait_for_order(job, timeout)

    @overload
    def delivery(self, job: BatchOrder | BatchResult) -> BatchDelivery: ...
    @overload
    def delivery(self, job: Order | JobResult) -> Delivery: ...
    @overload
    def delivery(self, job: Order | BatchOrder | Result | str) -> Delivery | BatchDelivery: ...
    def delivery(self, job: Order | BatchOrder | Result | str) -> Delivery | BatchDelivery:
        """Return what a job or batch delivered: its manifest, rows and records. The sink must be readable from here.

        Raises NoDelivery if it has delivered nothing (yet), and SinkError if it can't be read.
        """
        key = job if isinstance(job, str) else job.key
        result = job if isinstance(job, JobResult | BatchResult) else self.status(key)
        if result is None or result.manifest is None:
            raise NoDelivery(f"{key} has no delivery: it is {result.state if result else 'not known'}.")
        if isinstance(result, BatchResult):
            return open_batch(result)
        return open_delivery(result.manifest, sha256=result.manifest_sha256)

    def iter_items(self, job: Order | BatchOrder | Result | str) -> Iterator[Any]:
        """Return the delivered rows, parsed, in the dataset's order; memory holds some at a time. Of csv every value is
        a string. Raises as `delivery`, also for formats that are read by file (xml, html, rss, xlsx).
        """
        return self.delivery(job).items()

    def iter_changes(self, job: Order | JobResult, kind: ChangeKind) -> Iterator[Any]:
        """Return the rows that were `added`, `removed` or `changed` since an earlier delivery (`delta`), parsed. One
        that changed is `{"key", "fields", "before", "after"}`. Raises as `delivery`, also where nothing was compared.
        """
        return self.delivery(job).changes(kind)

    def open_record(self, job: Order | BatchOrder | Result | str, name: str) -> BinaryIO:
        """Return a delivered record (`OUTPUT`; of a batch `000000/OUTPUT`) as the platform gave it; to be closed.
        Raises as `delivery`.
        """
        return self.delivery(job).open_record(name)

    @property
    def _results(self) -> Any:
        """Return Celery's Redis back end; its type stubs only know what all back ends have in common."""
        return self._celery.backend

    def _ask(self, task: str, key: str, timeout_s: float, meaning: str, **options: Any) -> Result | None:
        assert_will_not_block()
        with _reaching(meaning):
            question = self._celery.send_task(task, [key], queue=self._queue, **options)
            reply = self._value_within(timeout_s, question, f"No worker replied to {task} within {timeout_s:g} s")
            question.forget()  # or each question would lie in Redis until results expire
        return None if reply is None else parse_answer(reply)

    def _wait_for_order(self, order: Order | BatchOrder, timeout_s: float) -> Result:
        with _reaching("The job is still running: wait again."):
            reply = self._value_within(
                timeout_s, order.result, f"The job {order.key} is still running after {timeout_s:g} s"
            )
        return _value_or_end(parse_answer(reply))

    def _wait_for_key(self, key: str, timeout_s: float) -> Result:
        """Poll the job until it ends: only its callers are told of the end."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            result = self.status(key, timeout=min(left, 10))
            if result is None:
                raise Refused(
                    Code.UNKNOWN_KEY,
                    f"There is no job with the key {key}. Nothing was changed. Submit it, or check the key.",
                )
            if result.state in TERMINAL:
                return _value_or_end(result)
            time.sleep(min(STATUS_EVERY_SECS, left))
        raise TimeoutError(f"The job {key} is still running after {timeout_s:g} s")

    def _value_within(self, timeout_s: float, result: "AsyncResult[Any]", otherwise: str) -> Any:
        """Return the result. Celery looks it up once, and then waits to be told of it; Redis may have carried out that
        look, and the end, before it has our subscription, on another connection. So it is looked up again.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            left_s = max(deadline - time.monotonic(), 0)
            try:
                return result.get(timeout=min(left_s, LOOK_UP_SECS), propagate=False)
            except CeleryTimeoutError:
                if time.monotonic() < deadline:
                    continue
                self._results.remove_pending_result(result)  # Celery would keep it until the task is ready
                raise TimeoutError(otherwise) from None


def parse_answer(reply: Any) -> Result:
    """Return the result in what Celery returns: a dict, or an exception of whatever class that holds it as a JSON
    string.

    Raises the exception itself if it is none of ours, such as TaskRevokedError.
    """
    if not isinstance(reply, BaseException):
        return _RESULT.validate_python(reply)
    try:
        return _RESULT.validate_json(reply.args[0])
    except (IndexError, ValidationError):
        raise reply from None


def _value_or_end(result: Result) -> Result:
    ended = exception_for(result)
    if ended is None:
        return result
    raise ended(result.model_dump_json())


@contextmanager
def _reaching(meaning: str) -> Iterator[None]:
    try:
        yield
    except (OperationalError, RedisError, RuntimeError) as error:  # Celery's "Retry limit exceeded" is a RuntimeError
        raise Unavailable(Code.REDIS_UNAVAILABLE, f"Redis can't be used: {describe_fault(error)}. {meaning}") from error
