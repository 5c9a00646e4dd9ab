"""`/healthz` and `/readyz`: for the supervisor of the process."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from actorline.gateway.openapi import problems

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str = "ok"


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    return Health()


@router.get("/readyz", summary="Could an order be accepted now?", responses=problems(500, 503))
async def readyz(request: Request) -> Health:
    """Check that Redis responds and persists what it accepts."""
    await request.app.state.context.readiness.check()
    return Health()
