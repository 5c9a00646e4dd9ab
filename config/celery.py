"""Celery's settings; where one isn't obvious, what was measured on Redis is in docs/architecture.md."""

from typing import Any, Final

from actorline.messages import unacked_keys
from actorline.redis_connection.address import is_sentinel
from actorline.redis_connection.sentinels import patience_s
from actorline.settings import Settings
from config.queues import routes

RESULT_DAYS: Final = 7
MUTEX_SECS: Final = 5  # ten messages take milliseconds


def celery_settings(settings: Settings) -> dict[str, Any]:
    namespace = settings.namespace
    return {
        "broker_url": settings.broker,
        "result_backend": settings.results,
        "broker_connection_retry_on_startup": True,
        "broker_channel_error_retry": True,  # else a worker exits when Redis refuses a write: full disk, replica
        "broker_transport_options": {
            **unacked_keys(namespace),
            # short because workers/broker/heartbeat.py renews what a live worker holds
            "visibility_timeout": settings.visibility_timeout_secs,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            # who gives back a dead worker's messages may die or lose its server meanwhile: kombu's lock lasts for 300 s
            "unacked_mutex_expire": MUTEX_SECS,
            "socket_timeout": patience_s(settings.broker),
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 5 if is_sentinel(settings.broker) else 25,  # a BRPOP is overdue then
        },
        "accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "result_extended": False,  # arguments don't belong in results
        "redis_socket_timeout": patience_s(settings.results),
        "redis_socket_connect_timeout": 5,
        "result_expires": RESULT_DAYS * 86_400,
        "result_chord_join_timeout": 3.0,
        "task_routes": routes(namespace),
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_track_started": True,
        "worker_prefetch_multiplier": 1,
        "worker_eta_task_limit": None,
        "worker_cancel_long_running_tasks_on_connection_loss": False,  # threads can't be cancelled; leases cover it
        "worker_enable_soft_shutdown_on_idle": False,
        "worker_send_task_events": settings.task_events,  # a fifth of a small job's CPU
        "beat_scheduler": "workers.beat:DueScheduler",
        "worker_redirect_stdouts": False,
        "worker_hijack_root_logger": False,
    }
