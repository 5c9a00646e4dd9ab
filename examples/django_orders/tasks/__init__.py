"""This project's own Celery tasks. Actorline has a package of the same name; neither sees the other's."""

from datetime import timedelta

from celery import shared_task
from django.utils.timezone import now
from orders.models import Order


@shared_task
def forget_old_orders() -> None:
    Order.objects.filter(created_at__lt=now() - timedelta(days=30)).delete()
