"""`/metrics`: for Prometheus, or other readers of its text format."""

from typing import Final

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import Response

from actorline.gateway.context import MayMeasure
from actorline.gateway.metrics import LedgerMetrics
from actorline.gateway.openapi import Responses, problems

router = APIRouter(tags=["health"])

RESPONSES: Final[Responses] = {
    200: {
        "description": "Metrics, in Prometheus's text format",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": 'actorline_jobs{state="RUNNING"} 12.0\n'}},
    },
    **problems(401, 403, 500, 503),
}


@router.get("/metrics", summary="Read the figures of all jobs", response_class=Response, responses=RESPONSES)
def metrics(authorized: MayMeasure) -> Response:
    """Return figures of all accounts, whatever accounts the API key covers; this needs its own scope, `metrics`."""
    registry = CollectorRegistry()
    registry.register(LedgerMetrics(authorized.context.ledger, authorized.context.settings))
    own = generate_latest(authorized.context.figures.registry)
    return Response(generate_latest(registry) + own, media_type=CONTENT_TYPE_LATEST)
