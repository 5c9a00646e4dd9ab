"""Callers as services are: each waits for its result, some with a task linked to the order and one chained to it."""

import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from celery import chain
from celery.result import AsyncResult
from real_parts import Line, reason_of


@dataclass(frozen=True)
class Caller:
    order: "AsyncResult[Any]"
    linked: "AsyncResult[Any]"
    chained: "AsyncResult[Any]"

    def results(self, within: float) -> tuple[dict[str, Any], int, int]:
        """The order's own result, and what the two tasks made of it: the number of its rows."""
        return self.order.get(timeout=within), self.linked.get(timeout=within), self.chained.get(timeout=within)


def call(line: Line, document: dict[str, Any]) -> Caller:
    linked, chained = (line.client.signature("service.items", task_id=str(uuid.uuid4())) for _ in range(2))
    order = line.client.signature("actorline.run", args=[document], queue=line.namespace)
    order.link(linked)
    following = chain(order, chained).apply_async()
    return Caller(following.parent, line.client.AsyncResult(linked.options["task_id"]), following)


def refusal(order: "AsyncResult[Any]") -> dict[str, Any]:
    """The reason with which an order was refused."""
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order.get(timeout=120)
    assert type(raised.value).__name__ == "JobRefused"
    return reason_of(raised.value)


def assert_all_served(callers: list[Caller], items: int, within: float) -> str:
    """Every caller and every continuation has its result, all of one run; returns its id."""
    served = [caller.results(within) for caller in callers]
    assert [(result["items"], *made) for result, *made in served] == [(items, items, items)] * len(callers)
    (run_id,) = {result["run_id"] for result, *_ in served}
    return run_id
