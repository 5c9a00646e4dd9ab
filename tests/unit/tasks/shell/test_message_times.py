"""A message is due when Redis's clock says so, whatever the clocks of its sender and its receiver say."""

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery import Celery
from kombu.message import Message

from tasks.shell import message_times
from tasks.shell.message_times import TimedRequest, say_by_redis
from tasks.shell.plain_task import PlainTask

NOON = 1_795_435_200.0


@pytest.fixture
def wrong_clock(monkeypatch) -> Any:
    """Set this machine's clock so many seconds beside Redis's, where it is noon."""

    def set_ahead(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: NOON + seconds)

    monkeypatch.setattr(message_times, "ledger", lambda: SimpleNamespace(now=lambda: NOON))
    return set_ahead


def at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


@pytest.mark.parametrize("ahead", [30, -30, 0])
def test_sender_with_a_wrong_clock_says_redis_time(wrong_clock, ahead):
    wrong_clock(ahead)
    headers: dict[str, Any] = {"eta": at(NOON + ahead + 5), "expires": at(NOON + ahead + 10), "id": "1"}
    say_by_redis(headers=headers, sender="actorline.poll_run")
    assert headers == {"eta": at(NOON + 5), "expires": at(NOON + 10), "id": "1"}


def test_message_without_times_is_left_alone(wrong_clock):
    wrong_clock(30)
    headers: dict[str, Any] = {"eta": None, "expires": None}
    say_by_redis(headers=headers)
    assert headers == {"eta": None, "expires": None}


def received(**times: str) -> TimedRequest:
    app: Any = Celery("timed", set_as_current=False, broker="memory://", backend="cache+memory://")

    @app.task(base=PlainTask, name="timed", shared=False)  # type: ignore[untyped-decorator]
    def task() -> None:
        pass

    body = ((), {}, {})
    message = Message(body=body, headers={"id": "1", "task": "timed", **times})
    return TimedRequest(message, app=app, task=task, body=body, decoded=True)


@pytest.mark.parametrize("ahead", [30, -30, 0])
def test_receiver_with_a_wrong_clock_waits_as_long(wrong_clock, ahead):
    wrong_clock(ahead)
    request = received(eta=at(NOON + 5), expires=at(NOON + 10))
    assert (request.eta.timestamp() - time.time(), request.expires.timestamp() - time.time()) == (5, 10)


def test_times_stay_while_redis_is_away(monkeypatch):
    def refuse() -> float:
        raise redis.ConnectionError

    monkeypatch.setattr(message_times, "ledger", lambda: SimpleNamespace(now=refuse))
    assert received(eta=at(NOON)).eta.timestamp() == NOON
