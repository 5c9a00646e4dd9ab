"""Carries out the faults, round the whole application."""

import asyncio
from typing import assert_never

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actorline.emulator import connection
from actorline.emulator.errors import ApiError
from actorline.emulator.faults import (
    CutBodyFault,
    DelayFault,
    Fault,
    FaultPlan,
    LateFault,
    OtherResponse,
    ResetAfterFault,
    ResetBeforeFault,
    SlowWireFault,
    StallBodyFault,
    StatusAfterFault,
    StatusFault,
)
from actorline.emulator.responses import error_response


class FaultMiddleware:
    def __init__(self, app: ASGIApp, plan: FaultPlan) -> None:
        self._app = app
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._plan.next_fault(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._suffer(fault, scope, receive, send)

    async def _suffer(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault:
            case StatusFault():
                await _other_response(fault)(scope, receive, send)
            case StatusAfterFault():
                await self._app(scope, receive, _swallow)
                await _other_response(fault)(scope, receive, send)
            case ResetBeforeFault():
                await connection.reset(scope, receive)
            case ResetAfterFault():
                await self._app(scope, receive, _swallow)
                await connection.reset(scope, receive)
            case DelayFault():
                await self._app(scope, receive, _Delayed(send, self._plan, fault.secs))
            case CutBodyFault():
                await self._app(scope, receive, _Cut(fault.after_bytes, scope, receive, send))
            case StallBodyFault():
                await self._app(scope, receive, _Stalled(send, self._plan, fault.after_bytes, fault.secs))
            case SlowWireFault():
                await self._app(scope, receive, _Slow(send, fault.latency_secs, fault.bytes_per_sec))
            case LateFault():
                await asyncio.sleep(fault.secs)
                await self._app(scope, receive, send)
            case _:
                assert_never(fault)


def _other_response(fault: OtherResponse) -> Response:
    if fault.html is not None:
        return HTMLResponse(fault.html, fault.status, fault.headers)
    return error_response(ApiError(fault.status, fault.type, fault.message, fault.headers))


async def _swallow(message: Message) -> None:
    pass


class _Delayed:
    def __init__(self, send: Send, plan: FaultPlan, secs: float) -> None:
        self._send = send
        self._plan = plan
        self._secs = secs

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._plan.hold(self._secs)
        await self._send(message)


class _Cut:
    def __init__(self, after_bytes: int, scope: Scope, receive: Receive, send: Send) -> None:
        self._left = after_bytes
        self._scope = scope
        self._receive = receive
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body = message.get("body", b"")
        if len(body) <= self._left:
            self._left -= len(body)
            await self._send(message)
        elif not connection.is_closed(self._scope):
            await self._send({"type": "http.response.body", "body": body[: self._left], "more_body": True})
            await connection.close(self._scope, self._receive)


class _Stalled:
    def __init__(self, send: Send, plan: FaultPlan, after_bytes: int, secs: float) -> None:
        self._send = send
        self._plan = plan
        self._left = after_bytes
        self._secs = secs

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or self._left < 0 or len(body) <= self._left:
            self._left -= len(body)
            await self._send(message)
            return
        await self._send({"type": "http.response.body", "body": body[: self._left], "more_body": True})
        await self._plan.hold(self._secs)
        await self._send({**message, "body": body[self._left :]})
        self._left = -1


class _Slow:
    def __init__(self, send: Send, latency_secs: float, bytes_per_sec: int | None) -> None:
        self._send = send
        self._latency_secs = latency_secs
        self._bytes_per_sec = bytes_per_sec

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(self._latency_secs)
        body = message.get("body", b"")
        if self._bytes_per_sec is None or not body:
            await self._send(message)
            return
        piece = max(self._bytes_per_sec // 20, 1)
        for start in range(0, len(body), piece):
            block = body[start : start + piece]
            await asyncio.sleep(len(block) / self._bytes_per_sec)
            is_last = start + piece >= len(body)
            more = message.get("more_body", False) or not is_last
            await self._send({**message, "body": block, "more_body": more})
