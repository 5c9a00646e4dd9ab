"""The message that has a worker check a job. The ledger says what the job needs, so the message is only its key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import redis

from actorline.identifiers import JobKey, RunId
from actorline.redis_address import masked_address
from actorline.settings import Settings

if TYPE_CHECKING:
    from celery import Celery


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
            "broker_transport_options": {"socket_timeout": 30, "socket_connect_timeout": 5},
            "broker_connection_retry_on_startup": True,
        },
        set_as_current=False,
    )


def send_line(settings: Settings, *, show_passwords: bool = False) -> str:
    """Return the code with which a service orders a job; passwords are masked unless `show_passwords`."""
    broker, backend = (
        address if show_passwords else masked_address(address) for address in (settings.broker, settings.results)
    )
    return (
        f'Celery(broker="{broker}", backend="{backend}")'
        f'.send_task("actorline.run", [document], queue="{settings.namespace}").get()'
    )


def send_upkeep(app: Celery, namespace: str, *keys: str) -> None:
    """Have a worker take care of the jobs now. Losing this message costs seconds: upkeep finds jobs by their `due`."""
    app.send_task("actorline.upkeep", keys, queue=f"{namespace}.control", ignore_result=True, retry=False)


def send_hook(app: Celery, namespace: str, hook_id: str, run_id: RunId) -> None:
    """Have a worker decide whether a hook collects a run. Losing this message costs seconds, too."""
    app.send_task("actorline.hook", [hook_id, run_id], queue=f"{namespace}.control", ignore_result=True, retry=False)


def wake_workers(settings: Settings, keys: Iterable[JobKey]) -> bool:
    """Have workers check jobs now; return False if the broker accepts no message: upkeep still finds the jobs."""
    from kombu.exceptions import OperationalError

    app = make_sender(settings)
    try:
        send_upkeep(app, settings.namespace, *keys)
    except (OperationalError, redis.RedisError, OSError):
        return False
    finally:
        app.close()
    return True
