"""The message that makes a worker look at a job. The ledger says what the job needs, so the message is its key only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import redis

from actorline.redis_address import masked_address
from actorline.settings import Settings

if TYPE_CHECKING:
    from celery import Celery


def make_sender(settings: Settings) -> Celery:
    """A Celery app that can only send: what any service has that knows the two addresses."""
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
    """Return what a service writes to order a job, the addresses' passwords masked unless they are asked for."""
    broker, backend = (
        address if show_passwords else masked_address(address) for address in (settings.broker, settings.results)
    )
    return (
        f'Celery(broker="{broker}", backend="{backend}")'
        f'.send_task("actorline.run", [document], queue="{settings.namespace}").get()'
    )


def send_upkeep(app: Celery, namespace: str, *keys: str) -> None:
    """Let a worker take care of the jobs now. Losing this message costs seconds: upkeep finds each job by its `due`."""
    app.send_task("actorline.upkeep", keys, queue=f"{namespace}.control", ignore_result=True, retry=False)


def send_hook(app: Celery, namespace: str, hook_id: str, run_id: str) -> None:
    """Let a worker see whether a hook has to collect a run. Losing this message costs seconds, too."""
    app.send_task("actorline.hook", [hook_id, run_id], queue=f"{namespace}.control", ignore_result=True, retry=False)


def wake_workers(settings: Settings, keys: Iterable[str]) -> bool:
    """Let workers look at jobs now. False: the broker takes no message; upkeep finds the jobs all the same."""
    from kombu.exceptions import OperationalError

    app = make_sender(settings)
    try:
        send_upkeep(app, settings.namespace, *keys)
    except (OperationalError, redis.RedisError, OSError):
        return False
    finally:
        app.close()
    return True
