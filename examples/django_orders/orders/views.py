from functools import partial
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from orders.jobs import job_of, send_job
from orders.models import Order


@require_POST
@transaction.atomic
def create(request: HttpRequest) -> HttpResponse:
    order = Order.objects.create(start_url=request.POST["start_url"])
    # not before the row is committed: what is rolled back must not be paid for
    transaction.on_commit(partial(send_job, order))
    location = reverse("order", args=[order.id])
    return JsonResponse({"id": order.id}, status=202, headers={"Location": location})


@require_GET
def show(request: HttpRequest, order_id: UUID) -> HttpResponse:
    del request
    order = get_object_or_404(Order, pk=order_id)
    job = job_of(order)
    # `.state` and `.info` look and return; `.get()` would hold the request for as long as the run lasts
    if job.failed():
        return JsonResponse(
            {"state": "FAILED", "job": job.info.args[0]}
        )  # the result as a JSON string, with the reason
    return JsonResponse({"state": job.state, "job": job.info})  # PENDING, PROGRESS or SUCCESS
