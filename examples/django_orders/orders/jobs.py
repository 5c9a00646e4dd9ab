"""Orders as jobs: two addresses and Celery, nothing of Actorline is imported."""

from celery import Celery
from celery.result import AsyncResult
from django.conf import settings

from orders.models import Order

# not the current app: a project that has a Celery app of its own keeps it
actorline = Celery(broker=settings.ACTORLINE_REDIS_URL, backend=settings.ACTORLINE_RESULTS_URL, set_as_current=False)


def send_job(order: Order) -> None:
    """Safe to repeat, for instance for rows whose message was lost: the same key is the same job, paid once."""
    document = {
        "key": order.job_key,
        "actor": settings.PRICES_ACTOR,
        "input": {"startUrls": [{"url": order.start_url}]},
    }
    # the caller may choose the task's id: with the row's id the result is found again without storing anything
    actorline.send_task("actorline.run", [document], queue=settings.ACTORLINE_QUEUE, task_id=str(order.id))


def job_of(order: Order) -> AsyncResult:
    return actorline.AsyncResult(str(order.id))
