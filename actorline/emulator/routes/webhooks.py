"""Webhooks and their dispatches, and how the dispatches are sent (`/emulator/webhooks`)."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from actorline.emulator.call import Call, endpoint
from actorline.emulator.clock import iso, now
from actorline.emulator.dispatches import Dispatch, Manner
from actorline.emulator.documents import JsonObject, user_id
from actorline.emulator.errors import ApiError, invalid_value, record_not_found
from actorline.emulator.request_body import read_body
from actorline.emulator.responses import data_response, json_response
from actorline.emulator.webhooks import Condition, Webhook, WebhookOrder, parse_order
from actorline.emulator.world import World

MAX_LISTED: Final = 1000

T = TypeVar("T")


async def list_webhooks(call: Call) -> Response:
    return _page(call, call.world.webhooks.owned(call.username), lambda webhook: webhook_short(call.world, webhook))


async def create_webhook(call: Call) -> Response:
    """Create a webhook, or return the one with the same idempotency key (OpenAPI `webhooks_post`)."""
    body = await read_body(call.request)
    if not body.is_json:
        raise ApiError(400, "invalid-content-type-header", "The content type must be application/json")
    order = parse_order(body.json())
    _check_condition(call, order.condition)
    made = Webhook(call.username, order, order.condition, is_ad_hoc=bool(order.is_ad_hoc))
    webhook = call.world.webhooks.add(made)
    for run in call.world.runs.listed(call.username, now()):
        if not run.life.is_finished(now()):
            call.world.dispatcher.follow(run)
    location = str(call.request.url.replace(path=f"/v2/webhooks/{webhook.id}", query=""))
    return data_response(webhook_document(call.world, webhook), 201, {"Location": location})


async def get_webhook(call: Call) -> Response:
    return data_response(webhook_document(call.world, _called(call)))


async def delete_webhook(call: Call) -> Response:
    call.world.webhooks.remove(_called(call))
    return Response(status_code=204)


async def list_dispatches(call: Call) -> Response:
    webhook_id = _called(call).id if call.path_param("webhook_id") else None
    found = [
        dispatch
        for dispatch in call.world.dispatcher.dispatches
        if dispatch.webhook.username == call.username and webhook_id in (None, dispatch.webhook.id)
    ]
    return _page(call, found, dispatch_document)


async def get_dispatch(call: Call) -> Response:
    for dispatch in call.world.dispatcher.dispatches:
        if dispatch.id == call.path_param("dispatch_id") and dispatch.webhook.username == call.username:
            return data_response(dispatch_document(dispatch))
    raise record_not_found("Webhook dispatch")


async def manner(request: Request) -> Response:
    """Set how dispatches are sent from now on (POST), or send them as usual again (DELETE)."""
    world: World = request.app.state.world
    world.dispatcher.manner = (
        Manner() if request.method == "DELETE" else Manner.model_validate_json(await request.body())
    )
    return json_response(world.dispatcher.manner.model_dump())


def webhook_short(world: World, webhook: Webhook) -> JsonObject:
    """Build a `WebhookShort`."""
    order = webhook.order
    dispatches = [each for each in world.dispatcher.dispatches if each.webhook.id == webhook.id]
    last = dispatches[-1] if dispatches else None
    return {
        "id": webhook.id,
        "createdAt": iso(webhook.created_at),
        "modifiedAt": iso(webhook.created_at),
        "userId": user_id(webhook.username),
        "isAdHoc": webhook.is_ad_hoc,
        "shouldInterpolateStrings": bool(order.should_interpolate_strings),
        "eventTypes": list(order.event_types),
        "condition": webhook.condition.model_dump(by_alias=True, exclude_none=True),
        "ignoreSslErrors": bool(order.ignore_ssl_errors),
        "doNotRetry": bool(order.do_not_retry),
        "requestUrl": order.request_url,
        "lastDispatch": None if last is None else {"status": last.status, "finishedAt": _finished_at(last)},
        "stats": {"totalDispatches": len(dispatches)},
    }


def webhook_document(world: World, webhook: Webhook) -> JsonObject:
    """Build a `Webhook`."""
    order = webhook.order
    return {
        **webhook_short(world, webhook),
        "payloadTemplate": order.payload_template,
        "headersTemplate": order.headers_template,
        "description": order.description if isinstance(order, WebhookOrder) else None,
    }


def dispatch_document(dispatch: Dispatch) -> JsonObject:
    """Build a `WebhookDispatch`."""
    webhook = dispatch.webhook
    return {
        "id": dispatch.id,
        "userId": user_id(webhook.username),
        "webhookId": webhook.id,
        "createdAt": iso(dispatch.created_at),
        "status": dispatch.status,
        "eventType": dispatch.event_type,
        "eventData": dispatch.event_data,
        "webhook": {
            "actionType": "HTTP_REQUEST",
            "condition": webhook.condition.model_dump(by_alias=True, exclude_none=True),
            "requestUrl": webhook.order.request_url,
            "isAdHoc": webhook.is_ad_hoc,
        },
        "calls": [
            {
                "startedAt": iso(each.started_at),
                "finishedAt": iso(each.finished_at),
                "errorMessage": each.error,
                "responseStatus": each.response[0] if each.response else None,
                "responseBody": each.response[1] if each.response else None,
            }
            for each in dispatch.calls
        ],
    }


def _finished_at(dispatch: Dispatch) -> str | None:
    return iso(dispatch.calls[-1].finished_at) if dispatch.calls and dispatch.status != "ACTIVE" else None


def _called(call: Call) -> Webhook:
    webhook = call.world.webhooks.find(call.path_param("webhook_id"), call.username)
    if webhook is None:
        raise record_not_found("Webhook")
    return webhook


def _check_condition(call: Call, condition: Condition) -> None:
    """Check that a condition has one target, which exists. Raises `ApiError`."""
    world, username = call.world, call.username
    found: dict[str, Any] = {}
    if condition.actor_id is not None:
        found["Actor"] = world.actor(condition.actor_id, username)
    if condition.actor_task_id is not None:
        found["Actor task"] = world.actor_task(condition.actor_task_id, username)
    if condition.actor_run_id is not None:
        found["Actor run"] = world.runs.by_id(condition.actor_run_id, username, now())
    if not found:
        raise invalid_value("condition", "actorId, actorTaskId or actorRunId")
    for what, target in found.items():
        if target is None:
            raise record_not_found(what)


def _page(call: Call, things: Sequence[T], document: Callable[[T], JsonObject]) -> Response:
    params = call.params
    offset, desc = params.integer("offset") or 0, params.flag("desc")
    limit = min(params.integer("limit") or MAX_LISTED, MAX_LISTED)
    ordered = things[::-1] if desc else things
    items = [document(thing) for thing in ordered[offset : offset + limit]]
    page = {"total": len(things), "offset": offset, "limit": limit, "desc": desc, "count": len(items), "items": items}
    return data_response(page)


async def _webhooks(call: Call) -> Response:
    return await (create_webhook(call) if call.request.method == "POST" else list_webhooks(call))


async def _webhook(call: Call) -> Response:
    return await (delete_webhook(call) if call.request.method == "DELETE" else get_webhook(call))


def routes() -> list[Route]:
    return [
        Route("/v2/webhooks", endpoint(_webhooks), methods=["GET", "POST"]),
        Route("/v2/webhooks/{webhook_id}", endpoint(_webhook), methods=["GET", "DELETE"]),
        Route("/v2/webhooks/{webhook_id}/dispatches", endpoint(list_dispatches), methods=["GET"]),
        Route("/v2/webhook-dispatches", endpoint(list_dispatches), methods=["GET"]),
        Route("/v2/webhook-dispatches/{dispatch_id}", endpoint(get_dispatch), methods=["GET"]),
        Route("/emulator/webhooks", manner, methods=["POST", "DELETE"]),
    ]
