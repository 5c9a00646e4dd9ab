"""The Celery app of Actorline's own processes: `celery -A workers.app worker -Q ...` works too."""

import sys
from typing import Any

import structlog
from celery import signals

from actorline.errors import SettingsError, Unavailable
from actorline.exit_codes import report
from actorline.isolated_celery import IsolatedCelery
from actorline.settings import load_settings
from actorline.shutdown import ask_to_stop
from config.celery import celery_settings
from config.json_messages import read_plain_json
from config.logging import configure_logging
from tasks import MODULES
from tasks.shell.message_times import say_by_redis
from tasks.shell.plain_task import PlainTask
from workers.broker.fair_turns import use_fair_turns
from workers.broker.give_back import GiveBack
from workers.broker.heartbeat import Heartbeat
from workers.broker.sent_once import EventsSentOnce
from workers.broker.shown_broker import ShownBroker
from workers.lend_events import LendEvents
from workers.metrics import LoopLag
from workers.preflight import check_accounts, check_redis
from workers.presence import Presence
from workers.revoke import let_revoke_cancel
from workers.upkeep_timer import UpkeepTimer

read_plain_json()
use_fair_turns()
let_revoke_cancel()
settings = load_settings()
app = IsolatedCelery(
    "actorline",
    broker=settings.broker,
    backend=settings.results,
    settings=celery_settings(settings),
    include=list(MODULES),
    task_cls=PlainTask,
    events=EventsSentOnce,
)
signals.before_task_publish.connect(say_by_redis)
app.conf.worker_consumer = "workers.broker.consumer:Consumer"
app.steps["consumer"].update({GiveBack, Heartbeat, LendEvents, LoopLag, Presence, ShownBroker, UpkeepTimer})


@signals.setup_logging.connect
def _log(**_: Any) -> None:
    configure_logging(load_settings().log_level)


@signals.task_prerun.connect
def _name_lines(task_id: str, **_: Any) -> None:
    """Have each line that a task logs name it."""
    structlog.contextvars.bind_contextvars(task_id=task_id)


@signals.task_postrun.connect
def _name_no_lines(**_: Any) -> None:
    structlog.contextvars.unbind_contextvars("task_id")


@signals.celeryd_init.connect
def _check(**_: Any) -> None:
    """Refuse to start a worker whose checks fail, by an exit: Celery swallows any other exception here."""
    _log()  # Celery warns of a superuser before it sets up logging
    try:
        check_redis(load_settings())
        check_accounts(load_settings())
    except (SettingsError, Unavailable) as error:
        sys.exit(report(error))


@signals.worker_shutting_down.connect
def _stop(**_: Any) -> None:
    ask_to_stop()


@signals.worker_ready.connect
def _say_ready(sender: Any, **_: Any) -> None:
    structlog.get_logger(__name__).info("worker_ready", worker=str(sender.hostname))
