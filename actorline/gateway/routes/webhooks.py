"""`/v1/webhooks/apify`: the platform's events. Webhooks authenticate with their own secret, not with an API key."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from pydantic import ValidationError
from starlette.responses import Response

from actorline.errors import Code, Refused
from actorline.gateway.authentication import bearer
from actorline.gateway.context import Context
from actorline.gateway.openapi import problems
from actorline.gateway.problems import Fault
from actorline.platform.webhooks import DISPATCH_HEADER, RunEvent
from actorline.webhooks.events import Hint

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

MAX_PAYLOAD_BYTES: Final = 1_000_000  # a payload describes a run: a few kilobytes
PAYLOAD_SECS: Final = 10.0

DispatchId = Annotated[str | None, Header(alias=DISPATCH_HEADER, description="The same on each repetition")]
HookId = Annotated[
    str | None, Query(description="The hook that the webhook belongs to, made by `actorline webhooks add`")
]


class FromPlatform(SecurityBase):
    """Admits a request with the webhooks' secret, as a bearer token or as the last part of the path.

    Raises Refused before the body is read.
    """

    scheme_name = "Webhook secret"
    model = HTTPBearer(description="Given to the platform with each of our webhooks; not an API key.")

    async def __call__(self, request: Request) -> Context:
        context: Context = request.app.state.context
        secret = request.path_params.get("secret") or bearer(request)
        if secret is None or not await context.webhook_intake.is_genuine(secret):
            context.refusals.note(request)
            raise Refused(Code.AUTH, "The webhook secret is missing or wrong. Nothing was done.")
        return context


Genuine = Annotated[Context, Depends(FromPlatform())]
RESPONSES: Final = {200: {"description": "Accepted or ignored"}, **problems(400, 401, 408, 413, 422, 500, 503)}


@router.post("/apify", summary="Receive an event from the platform", response_class=Response, responses=RESPONSES)
async def take(request: Request, context: Genuine, dispatch_id: DispatchId = None, hook: HookId = None) -> Response:
    """Take a hint: the job is checked now; the payload is not trusted. Safe to repeat, in any order."""
    hint = Hint.of(_parsed(await _read(request)), dispatch_id, hook)
    if hint:
        await context.webhook_intake.take(hint)
    return Response()


@router.post(
    "/apify/{secret}",
    summary="The same, where no header can be sent",
    response_class=Response,
    responses=RESPONSES,
)
async def take_with_secret_in_path(
    request: Request,
    context: Genuine,
    secret: Annotated[str, Path(description="The webhooks' secret")],
    dispatch_id: DispatchId = None,
    hook: HookId = None,
) -> Response:
    """Take a hint of a webhook that was made by hand in the platform's console."""
    del secret  # FromPlatform has compared it
    return await take(request, context, dispatch_id, hook)


async def _read(request: Request) -> bytes:
    """Read the body. Raises Fault: 413 as soon as it is too large, 408 if it arrives too slowly."""
    body = bytearray()
    try:
        async with asyncio.timeout(PAYLOAD_SECS):
            async for block in request.stream():
                body += block
                if len(body) > MAX_PAYLOAD_BYTES:
                    raise Fault(
                        413,
                        Code.REQUEST_INVALID,
                        f"The payload has more than {MAX_PAYLOAD_BYTES:,} bytes. Nothing was done.",
                    )
    except TimeoutError:
        raise Fault(
            408,
            Code.REQUEST_INVALID,
            f"The payload did not arrive within {PAYLOAD_SECS:g} s. Nothing was done. Send it again.",
        ) from None
    return bytes(body)


def _parsed(body: bytes) -> RunEvent:
    """Parse the event. Raises Fault (400) if it isn't one."""
    try:
        return RunEvent.read(body)
    except ValidationError:
        raise Fault(
            400, Code.REQUEST_INVALID, "The body is not the platform's default JSON payload. Nothing was done."
        ) from None
