"""Orders from the page of a job have the same limits as those to `/v1/jobs`."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from actorline.gateway.intake.body import LARGE_BYTES, MAX_BODY_BYTES, Bodies
from actorline.gateway.pages.forms import Form
from actorline.gateway.pages.jobs import order_pages
from actorline.gateway.problems import Fault
from actorline.jobs.sender import FROM_TERMINAL

TEXT = "x" * LARGE_BYTES


def order_at_once(monkeypatch: pytest.MonkeyPatch, bodies: Bodies, number: int) -> list[int]:
    """Order so often at a time; return how many orders were being taken at the begin of each."""
    taking, seen = [], []

    async def take_order(_: Any, body: bytearray, *__: Any) -> Any:
        taking.append(body)
        seen.append(len(taking))
        await asyncio.sleep(0)
        taking.remove(body)
        return SimpleNamespace(job=SimpleNamespace(key="again"), created=True)

    monkeypatch.setattr(order_pages, "take_order", take_order)
    monkeypatch.setattr(order_pages, "_orderable", lambda *_: None)
    context, grant = SimpleNamespace(bodies=bodies), SimpleNamespace(holder="a")
    visit = SimpleNamespace(context=context, grant=grant, sender=FROM_TERMINAL)
    posted: Any = SimpleNamespace(visit=visit, form=Form({"document": [TEXT]}))

    async def all_at_once() -> None:
        await asyncio.gather(*(order_pages.order(None, "k", posted) for _ in range(number)))  # type: ignore[arg-type]

    asyncio.run(all_at_once())
    return seen


def test_one_large_order_of_a_page_is_taken_at_a_time(monkeypatch):
    assert order_at_once(monkeypatch, Bodies(MAX_BODY_BYTES), 3) == [1, 1, 1]


def test_orders_of_a_page_count_in_what_a_key_may_hold(monkeypatch):
    bodies = Bodies(each_bytes=2 * LARGE_BYTES)
    with bodies.held(bytearray(2 * LARGE_BYTES), "a"), pytest.raises(Fault) as refused:
        order_at_once(monkeypatch, bodies, 1)
    assert refused.value.status == 429
    assert order_at_once(monkeypatch, bodies, 2) == [1, 1]
