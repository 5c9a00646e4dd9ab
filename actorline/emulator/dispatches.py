"""Dispatches: an event of a run becomes a request to each webhook that is for it, repeated until it is taken.

When one counts as taken, and how often it is repeated: `docs/platform-facts.md#dispatches`.
"""

import asyncio
import random
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
import requests
from pydantic import Field

from actorline.emulator.clock import iso, now
from actorline.emulator.documents import JsonObject, run_document, user_id
from actorline.emulator.ids import random_id
from actorline.emulator.profile import Seconds, Shape
from actorline.emulator.runs import Run
from actorline.emulator.webhook_templates import DEFAULT_PAYLOAD, render
from actorline.emulator.webhooks import Webhook, WebhookBook

DISPATCH_RETRIES: Final = 11
RESPONSE_SECS: Final = 120.0
DISPATCH_THREADS: Final = 16
CREATED: Final = "ACTOR.RUN.CREATED"
RESURRECTED: Final = "ACTOR.RUN.RESURRECTED"


class Manner(Shape):
    """How dispatches are sent: as a good platform does, or as one on a bad day."""

    copies: int = Field(1, ge=1, le=100, description="How often each dispatch is sent")
    delay_secs: Seconds = Field(0.0, description="Time between the event and its request")
    shuffle: bool = Field(default=False, description="The delay is random, so that events come in any order")
    backoff_secs: Seconds = Field(60.0, description="Time until a failed request is repeated; doubles each time")


@dataclass(frozen=True)
class Call:
    """One request. `response`: status and body, or None if there was none."""

    started_at: float
    finished_at: float
    error: str | None
    response: tuple[int, str] | None

    @property
    def is_taken(self) -> bool:
        return self.response is not None and self.response[0] // 100 == 2  # noqa: PLR2004


@dataclass
class Dispatch:
    webhook: Webhook
    event_type: str
    event_data: JsonObject
    body: bytes
    headers: dict[str, str]
    created_at: float
    id: str
    status: Literal["ACTIVE", "SUCCEEDED", "FAILED"] = "ACTIVE"
    calls: list[Call] = field(default_factory=list)


class Dispatcher:
    """Follows the runs that a webhook is for, and sends what becomes of them."""

    def __init__(self, webhooks: WebhookBook) -> None:
        self._webhooks = webhooks
        self._followed: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(DISPATCH_THREADS, thread_name_prefix="webhooks")
        self.dispatches: list[Dispatch] = []
        self.manner = Manner()

    def begin(self, run: Run) -> None:
        """Tell the webhooks that the run was started just now."""
        self._dispatch(run, CREATED)
        self.follow(run)

    def resurrected(self, run: Run) -> None:
        self._dispatch(run, RESURRECTED)
        self.follow(run)

    def follow(self, run: Run) -> None:
        """Wait for the run's end, if that is of use to anybody."""
        if run.id not in self._followed and self._webhooks.of(run):
            self._followed.add(run.id)
            self._spawn(self._follow(run))

    async def _follow(self, run: Run) -> None:
        while not run.life.is_finished(at := now()):
            await run.wait(at, until=run.life.finished_at)
        self._followed.discard(run.id)
        self._dispatch(run, f"ACTOR.RUN.{run.life.status(now()).replace('-', '_')}")

    def _dispatch(self, run: Run, event: str) -> None:
        for webhook in self._webhooks.of(run):
            if event in webhook.order.event_types:
                dispatch = make_dispatch(webhook, run, event)
                self.dispatches.append(dispatch)
                self._spawn(self._deliver(dispatch))
                for _ in range(self.manner.copies - 1):
                    self._spawn(self._send(dispatch))

    async def _deliver(self, dispatch: Dispatch) -> None:
        for number in range(1 + DISPATCH_RETRIES):
            if await self._send(dispatch):
                dispatch.status = "SUCCEEDED"
                return
            if dispatch.webhook.order.do_not_retry:
                break
            await asyncio.sleep(self.manner.backoff_secs * 2**number)
        dispatch.status = "FAILED"

    async def _send(self, dispatch: Dispatch) -> bool:
        delay = self.manner.delay_secs
        await asyncio.sleep(random.uniform(0, delay) if self.manner.shuffle else delay)  # noqa: S311
        call = await asyncio.get_running_loop().run_in_executor(self._threads, send, dispatch)
        dispatch.calls.append(call)
        return call.is_taken

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself holds a task weakly only
        task.add_done_callback(self._tasks.discard)


def make_dispatch(webhook: Webhook, run: Run, event: str) -> Dispatch:
    at, dispatch_id, order = now(), random_id(), webhook.order
    data = {"actorId": run.actor.id, "actorRunId": run.id}
    if run.actor_task:
        data["actorTaskId"] = run.actor_task.id
    values = {
        "userId": user_id(run.username),
        "createdAt": iso(at),
        "eventType": event,
        "eventData": data,
        "resource": run_document(run, at),
        "globals": {"dateISO": iso(at), "dateUnix": int(at)},
    }
    in_strings = bool(order.should_interpolate_strings)
    payload = render(order.payload_template or DEFAULT_PAYLOAD, values, in_strings=in_strings)
    headers = render(order.headers_template or "{}", values, in_strings=in_strings)
    fixed = {
        "Content-Type": "application/json",
        "X-Apify-Webhook": "true",
        "X-Apify-Webhook-Dispatch-Id": dispatch_id,
        "X-Apify-Request-Origin": "WEBHOOK",
    }
    kept = {name: value for name, value in headers.items() if name.lower() not in {"host", *map(str.lower, fixed)}}
    return Dispatch(webhook, event, data, orjson.dumps(payload), {**kept, **fixed}, at, dispatch_id)


def send(dispatch: Dispatch) -> Call:
    """Send one request; never raises what the network does."""
    started, order = now(), dispatch.webhook.order
    with requests.Session() as session:
        session.trust_env = False
        try:
            response = session.post(
                order.request_url,
                dispatch.body,
                headers=dispatch.headers,
                timeout=RESPONSE_SECS,
                allow_redirects=False,
                verify=not order.ignore_ssl_errors,
            )
        except requests.RequestException as error:
            return Call(started, now(), f"Cannot send request ({type(error).__name__})", None)
    return Call(started, now(), None, (response.status_code, response.text[:1000]))
