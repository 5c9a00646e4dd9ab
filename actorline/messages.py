"""The message that has a worker check a job. The ledger says what the job needs, so the message is only its key."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import redis

from actorline.identifiers import JobKey, RunId
from actorline.queue_names import control_queue
from actorline.redis_connection.address import is_sentinel, masked_address
from actorline.redis_connection.sentinels import FAILED_SECS, SentinelAddress, patience_s
from actorline.settings import Settings

if TYPE_CHECKING:
    from celery import Celery


KEYS_A_MESSAGE: Final = 20  # one worker thread takes care of them, one after the other


def make_sender(settings: Settings) -> Celery:
    """Return a Celery app that can only send, as any service can make that knows the two addresses."""
    from actorline.isolated_celery import IsolatedCelery

    return IsolatedCelery(
        "actorline-sender",
        broker=settings.broker,
        backend=settings.results,
        settings={
            "task_serializer": "json",
            "result_serializer": "json",
            "accept_content": ["json"],
            "broker_transport_options": {
                **unacked_keys(settings.namespace),
                "socket_timeout": patience_s(settings.broker),
                "socket_connect_timeout": 5,
            },
            "broker_connection_retry_on_startup": True,
        },
        set_as_current=False,
    )


def unacked_keys(namespace: str) -> dict[str, str]:
    """Return our own names of what kombu keeps: the defaults are shared by all Celery apps of a database, whose tasks
    our quick sweep would run a second time.
    """
    return {
        "unacked_key": f"{namespace}.unacked",
        "unacked_index_key": f"{namespace}.unacked_index",
        "unacked_mutex_key": f"{namespace}.unacked_mutex",
    }


def send_line(settings: Settings, *, show_passwords: bool = False) -> str:
    """Return the code with which a service orders a job; passwords are masked unless `show_passwords`."""
    broker, backend = (
        address if show_passwords else masked_address(address) for address in (settings.broker, settings.results)
    )
    arguments = ", ".join(f"{name}={_literal(value)}" for name, value in celery_arguments(broker, backend).items())
    return f'Celery({arguments}).send_task("actorline.run", [document], queue="{settings.namespace}").get()'


def celery_arguments(broker: str, backend: str) -> dict[str, Any]:
    """Return what a service's own `Celery(...)` is given."""
    arguments: dict[str, Any] = {"broker": broker, "backend": backend}
    if is_sentinel(broker):
        named = SentinelAddress.parse(broker)
        options = {**named.shown_options, "socket_timeout": FAILED_SECS}
        arguments |= {"broker": named.celery_address, "broker_transport_options": options}
        arguments |= {"broker_use_ssl": named.tls} if named.tls is not None else {}
    if is_sentinel(backend):
        named = SentinelAddress.parse(backend)
        arguments |= {"backend": named.celery_address, "result_backend_transport_options": named.shown_options}
        arguments |= {"redis_socket_timeout": FAILED_SECS}
        arguments |= {"redis_backend_use_ssl": named.tls} if named.tls is not None else {}
    return arguments


def _literal(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def send_upkeep(app: Celery, namespace: str, *keys: str) -> None:
    """Have a worker take care of the jobs now. Losing this message costs seconds: upkeep finds jobs by their `due`."""
    app.send_task("actorline.upkeep", keys, queue=control_queue(namespace), ignore_result=True, retry=False)


def send_hook(app: Celery, namespace: str, hook_id: str, run_id: RunId) -> None:
    """Have a worker decide whether a hook collects a run. Losing this message costs seconds, too."""
    app.send_task("actorline.hook", [hook_id, run_id], queue=control_queue(namespace), ignore_result=True, retry=False)


def wake_workers(settings: Settings, keys: Iterable[JobKey]) -> bool:
    """Have workers check jobs now; return False if the broker accepts no message: upkeep still finds the jobs."""
    from kombu.exceptions import OperationalError

    app, waiting = make_sender(settings), list(keys)
    try:
        for start in range(0, len(waiting), KEYS_A_MESSAGE):
            send_upkeep(app, settings.namespace, *waiting[start : start + KEYS_A_MESSAGE])
    except (OperationalError, redis.RedisError, OSError):
        return False
    finally:
        app.close()
    return True
