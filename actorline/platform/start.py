"""The start of a run: one POST that is never repeated blindly, because there is no idempotency key for it.

Source: `docs/platform-facts.md#start-parameters`, `docs/platform-facts.md#no-idempotency-key`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import requests
import urllib3
from pydantic import BaseModel, Field, ValidationError

from actorline.identifiers import RunId
from actorline.outbound.http_status import is_server_error, is_success
from actorline.platform.actors import safe_id
from actorline.platform.body import Body
from actorline.platform.client import Platform, encode_query
from actorline.platform.describe import describe_fault
from actorline.platform.error_mapping import error_from_response
from actorline.platform.errors import CapacityExceeded, InvalidRequest, PlatformError, PlatformUnavailable, RateLimited
from actorline.platform.json_text import parse_json
from actorline.platform.session import PlatformAdapter

START_PATIENCE_SECS: Final = 1.0  # a start that waited for longer in its thread would go out too late
START_TIMEOUT_SECS: Final = 60.0  # the platform responds within seconds; longer means that the reply is lost
# A 303 names where to look at what the request has done (RFC 9110, section 15.4.4): a run may have been made.
_MAY_BE_DONE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.SEE_OTHER})
_BOOTTIME: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # counts a suspended machine's sleep as well


class NotStarted(Exception):
    """It is certain that no run was made. `error` holds the platform's words, if it said any."""

    def __init__(self, error: PlatformError) -> None:
        super().__init__(str(error))
        self.error = error


class StartRefused(NotStarted):
    """The platform refuses this order; the same again would be refused again."""


class StartDeferred(NotStarted):
    """Not now: no connection, a rate limit, no capacity, or we were frozen on the way."""


class StartUnclear(Exception):
    """A run may have been made: the request went out, and no response says what came of it."""


@dataclass(frozen=True)
class SendBy:
    """A span of time, begun before the start lease is asked for, after which a start must not go out any more.

    Whoever takes over a start counts on it, so a process that was frozen and wakes up steps back. Two clocks: one
    that keeps running while the machine sleeps, and the wall clock, which a virtual machine's host may move.
    """

    span_s: float
    boot: float = field(default_factory=lambda: time.clock_gettime(_BOOTTIME))
    wall: float = field(default_factory=time.time)

    def is_past(self) -> bool:
        moved = (time.clock_gettime(_BOOTTIME) - self.boot, time.time() - self.wall)
        return any(abs(seconds) > self.span_s for seconds in moved)


@dataclass(frozen=True)
class StartRequest:
    """What is started: an Actor or an Actor task, with its input and options; `marker` becomes `meta.userAgent`."""

    actor: str | None
    actor_task: str | None
    body: bytes = field(repr=False)
    query: Mapping[str, str] = field(repr=False)  # the webhook in it holds a secret
    marker: str
    content_type: str = "application/json"

    @property
    def path(self) -> str:
        return f"/actors/{safe_id(self.actor)}" if self.actor else f"/actor-tasks/{safe_id(self.actor_task or '')}"


def start_run(platform: Platform, request: StartRequest, *, send_by: SendBy, announce: Callable[[], None]) -> RunId:
    """POST the start once and return the run's id.

    `announce` is called when the connection is open, before the first byte goes out; what it raises is raised here, and
    nothing is sent. Raises StartRefused or StartDeferred if it is certain that no run was made, StartUnclear otherwise.
    """
    response = post_start(platform, "runs", request, send_by=send_by, announce=announce, silence_s=START_TIMEOUT_SECS)
    with response:
        if not is_success(response.status_code):
            raise refusal(response)
        return read_run_id(response)


def post_start(
    platform: Platform,
    endpoint: str,
    request: StartRequest,
    *,
    send_by: SendBy,
    announce: Callable[[], None],
    silence_s: float,
    headers: Mapping[str, str] | None = None,
) -> requests.Response:
    """Send a request that starts a run, once. What it returns and raises: see `post_guarded`."""
    return post_guarded(
        platform,
        f"{request.path}/{endpoint}",
        request.query,
        body=request.body,
        headers={
            "User-Agent": request.marker,
            "Content-Type": request.content_type,
            "Accept": "application/json",
            **(headers or {}),
        },
        send_by=send_by,
        announce=announce,
        silence_s=silence_s,
    )


def post_guarded(
    platform: Platform,
    path: str,
    query: Mapping[str, str],
    *,
    headers: Mapping[str, str],
    send_by: SendBy,
    announce: Callable[[], None],
    silence_s: float,
    body: bytes | None = None,
) -> requests.Response:
    """POST what costs money, once, and return whatever came back; the caller reads its body, and closes it.

    Raises StartDeferred if it is certain that nothing arrived, StartUnclear if no response came.
    """
    guard = _Guard(send_by, announce)
    session = platform.open_session(_GuardedAdapter(guard))
    with session:  # it keeps no connection for a later request; the response has its own until it is closed
        try:
            platform.wait_for_turn(path, START_PATIENCE_SECS)
            response = session.post(
                f"{platform.api_root}{path}",
                params=encode_query(query),
                data=body,
                headers=dict(headers),
                timeout=(platform.timeouts[0], silence_s),
                allow_redirects=False,
                stream=True,
            )
        except RateLimited as error:
            raise StartDeferred(error) from error
        except _TooLate as error:
            raise StartDeferred(
                PlatformUnavailable("nothing was sent: this process was held up for longer than a start may take")
            ) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as fault:
            if not guard.sent:
                raise StartDeferred(
                    PlatformUnavailable(f"the platform can't be reached ({describe_fault(fault)})")
                ) from fault
            raise StartUnclear(f"the reply was lost ({describe_fault(fault)})") from fault
    platform.learn_rate(path, response)
    return response


def read_run_id(response: requests.Response, *, to: str = "the start") -> RunId:
    """Return the id of the run that a response describes. Raises StartUnclear if it doesn't say it; `to`: see
    `refusal`.
    """
    try:
        return _Envelope.model_validate(parse_json(Body(response).whole())).data.id
    except PlatformUnavailable as error:
        raise StartUnclear(f"the reply was lost ({error.message})") from error
    except ValidationError as error:
        raise StartUnclear(f"the platform responded {response.status_code} to {to}, without a run") from error


def refusal(response: requests.Response, *, to: str = "the start") -> NotStarted | StartUnclear:
    """Return what a response other than 2xx says of the start, or of what else was sent under its guards (`to`)."""
    status = response.status_code
    is_refusal = status >= HTTPStatus.BAD_REQUEST or response.is_redirect  # a 304, for example, is neither
    if status in _MAY_BE_DONE or is_server_error(status) or not is_refusal:
        return StartUnclear(f"the platform responded {status} to {to}")
    if status < HTTPStatus.BAD_REQUEST:
        message = f"the platform responded {status} to {to}: check ACTORLINE_API_URL"
        return StartRefused(InvalidRequest(message, status=status))
    error = error_from_response(response)
    if isinstance(error, RateLimited | CapacityExceeded):
        return StartDeferred(error)
    if isinstance(error, PlatformUnavailable):  # not the API's response: it doesn't prove that the API got nothing
        return StartUnclear(f"something between here and the platform responded {status} to {to}")
    return StartRefused(error)


class _StartedRun(BaseModel):
    """The one field that must not be missed: whatever else is odd about the response, this run costs money."""

    id: RunId = Field(min_length=1)


class _Envelope(BaseModel):
    data: _StartedRun


class _TooLate(Exception):
    pass


@dataclass
class _Guard:
    """Announces the start when the connection is open, and reads the clocks last, just before the first byte; knows
    whether one went out.
    """

    send_by: SendBy
    announce: Callable[[], None]
    sent: bool = False

    def pass_or_raise(self) -> None:
        self.announce()
        if self.send_by.is_past():
            raise _TooLate
        self.sent = True


class _GuardedAdapter(PlatformAdapter):
    """Fresh connections only, so that no stale keep-alive makes a start unclear; each is guarded. No retries."""

    def __init__(self, guard: _Guard) -> None:
        self._guard = guard
        super().__init__(max_retries=urllib3.Retry(0, read=False))

    def connection_class(self, base: Any) -> Any:
        return _guarded(super().connection_class(base), self._guard)


def _guarded(connection: Any, guard: _Guard) -> Any:
    class Guarded(connection):  # type: ignore[misc]  # its base is known at run time only
        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is None:
                self.connect()
            guard.pass_or_raise()
            super().request(*args, **kwargs)

    return Guarded
