"""A stopping worker gives back its messages at once; Celery would do so only after its last task's end.

So waiting polls continue elsewhere although a download here may take half a minute to notice the stop. Pages that are
being fetched are given back as well: a second execution waits for the lease of the first.
"""

from queue import Empty
from typing import Any, Final

import redis
import structlog
from celery import bootsteps
from celery.worker import state

from actorline.shutdown import is_stopping

LEASED: Final = frozenset({"actorline.fetch_page"})

log = structlog.get_logger(__name__)


class GiveBack(bootsteps.StartStopStep):
    requires = ("celery.worker.consumer.tasks:Tasks",)

    def stop(self, consumer: Any) -> None:
        """Give back the messages; also called after a lost connection, when kombu itself gives back everything."""
        if not is_stopping() or consumer.task_consumer is None:
            return
        try:
            take_no_more(consumer.task_consumer)
            log.info("given_back", messages=give_back(consumer.task_consumer.channel))
        except (redis.RedisError, OSError) as error:
            log.warning("not_given_back", error=type(error).__name__)


def take_no_more(task_consumer: Any) -> None:
    """Stop consuming. One more message may already have been taken, because kombu always has a BRPOP in progress."""
    task_consumer.on_message = lambda message: None  # noqa: ARG005 - given back with the others
    task_consumer.cancel()
    channel = task_consumer.channel
    if channel._in_poll:  # noqa: SLF001 - kombu has no public name for it
        try:
            channel._brpop_read()  # noqa: SLF001
        except Empty:
            return


def give_back(channel: Any) -> int:
    """Give the channel's messages back to their queues, except running tasks', and return their number."""
    qos = channel.qos
    running = {request.message.delivery_tag for request in state.active_requests if request.name not in LEASED}
    held = qos.held() - running
    for tag in held:
        qos.reject(tag, requeue=True)
    return len(held)
