"""A worker that is asked to stop gives back at once what it holds; Celery would do so only after its last task's end.

So polls that wait for their time go on elsewhere although a download here may still take half a minute to notice. Pages
in hand are given back as well: a second execution waits for the lease of the first.
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
        """Also called after a lost connection, with which kombu gives back everything itself."""
        if not is_stopping() or consumer.task_consumer is None:
            return
        try:
            take_no_more(consumer.task_consumer)
            log.info("given_back", messages=give_back(consumer.task_consumer.channel))
        except (redis.RedisError, OSError) as error:
            log.warning("not_given_back", error=type(error).__name__)


def take_no_more(task_consumer: Any) -> None:
    """Stop consuming. One more message may have been taken already, for kombu always has a BRPOP under way."""
    task_consumer.on_message = lambda message: None  # noqa: ARG005 - it is held, and given back with the others
    task_consumer.cancel()
    channel = task_consumer.channel
    if channel._in_poll:  # noqa: SLF001 - kombu has no public name for it
        try:
            channel._brpop_read()  # noqa: SLF001
        except Empty:
            return


def give_back(channel: Any) -> int:
    """Return what the channel holds to its queues, but for tasks that are running; answers how many."""
    qos = channel.qos
    running = {request.message.delivery_tag for request in state.active_requests if request.name not in LEASED}
    held = set(qos._delivered) - set(qos._dirty) - running  # noqa: SLF001
    for tag in held:
        qos.reject(tag, requeue=True)
    return len(held)
