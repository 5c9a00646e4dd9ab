from uuid import uuid4

from django.db import models


class Order(models.Model):
    # not a counter: a database that is made again would count from 1 again and meet the jobs of the old one
    id = models.UUIDField(primary_key=True, default=uuid4)
    start_url = models.URLField()
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.id)

    @property
    def job_key(self) -> str:
        return f"order-{self.id}"
