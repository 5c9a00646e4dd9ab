"""Run with an Actorline at hand: `python manage.py test`."""
# ruff: noqa: PT009 - Django's test cases bring their own assertions

from django.conf import settings
from django.db import transaction
from django.test import TransactionTestCase

from orders.jobs import actorline, job_of
from orders.models import Order

PAGE = {"start_url": "https://example.com/"}


# TestCase would wrap each test into a transaction that never commits
class OrderTests(TransactionTestCase):
    def test_committed_order_is_a_job_that_delivers(self) -> None:
        response = self.client.post("/orders/", PAGE)
        self.assertEqual(response.status_code, 202)
        result = job_of(Order.objects.get()).get(timeout=60)
        self.assertEqual((result["key"], result["state"]), (Order.objects.get().job_key, "DELIVERED"))
        shown = self.client.get(response.headers["Location"]).json()
        self.assertEqual((shown["state"], shown["job"]), ("SUCCESS", result))

    def test_rolled_back_order_is_no_job(self) -> None:
        with transaction.atomic():
            self.client.post("/orders/", PAGE)
            key = Order.objects.get().job_key
            transaction.set_rollback(True)
        self.client.post("/orders/", PAGE)
        # when the later order is done, an earlier message would long have made a job
        job_of(Order.objects.get()).get(timeout=60)
        status = actorline.send_task("actorline.status", [key], queue=settings.ACTORLINE_QUEUE)
        self.assertIsNone(status.get(timeout=30))
