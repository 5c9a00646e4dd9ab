"""`/healthz` and `/readyz`: for whoever starts and watches the process."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from actorline.gateway.openapi import problems

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str = "ok"


@router.get("/healthz", summary="Does the process live?")
async def healthz() -> Health:
    return Health()


@router.get("/readyz", summary="Could an order be taken now?", responses=problems(500, 503))
async def readyz(request: Request) -> Health:
    """Redis answers, and forgets nothing."""
    await request.app.state.context.readiness.check()
    return Health()
