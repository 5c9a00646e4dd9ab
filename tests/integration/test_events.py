"""Celery's events: none while nobody listens; then each stage of a job, and what became of its order."""

from collections import Counter
from typing import Any

import pytest
from celery.events.state import State
from real_parts import captured_events, make_line, running_workers, wait_for


@pytest.fixture(scope="module")
def heard(valkey, emulator, tmp_path_factory) -> dict[str, list[dict[str, Any]]]:
    """The events of tasks of one worker, before and after a monitor asked for them."""
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("events"), "heard", visibility_timeout_secs="60")
    ways = {
        "unheard": {"items": 10},
        "one-page": {"items": 10},
        "pages": {"items": 10},
        "failed": {"items": 0, "final_status": "FAILED"},
        "cancelled": {"items": 0, "duration_secs": 600},
    }
    actors = {key: emulator.actor(f"heard-{key}", **{"duration_secs": 0, **way}) for key, way in ways.items()}

    def order(key: str, **options: Any) -> Any:
        document = {"key": key, "actor": actors[key], "poll_interval_secs": 1, "collect": {"records": []}}
        return line.submit(document | ({"collect": {"page_items": 5}} if key == "pages" else {}), **options)

    after = line.client.signature("actorline.status", args=["nobody"], queue="heard", immutable=True)
    with running_workers(line, "all"), captured_events(line) as events:
        order("unheard").get(timeout=120)
        before = of_tasks(events)
        replies = line.client.control.enable_events(reply=True)
        assert replies
        pending = [order(key) for key in ways if key != "unheard"]
        pending += [order(key, link=after, link_error=after) for key in ("failed", "cancelled")]
        wait_for(lambda: line.state("cancelled") == "RUNNING", what="a run to cancel")
        line.cancel("cancelled")
        for each in pending:
            each.get(timeout=120, propagate=False)
        orders = {each.id for each in pending}
        wait_for(
            lambda: ids_in(events, *ENDS) >= orders | ids_in(events, "task-started"),
            what="the end of each order and of all that was done for it, shown",
        )
        line.client.close()
        return {"before": before, "after": of_tasks(events)}


ENDS = ("task-succeeded", "task-failed", "task-revoked", "task-retried")


def ids_in(events: list[dict[str, Any]], *types: str) -> set[str]:
    return {event["uuid"] for event in events if event["type"] in types}


def of_tasks(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["type"].startswith("task-")]


def shown(events: list[dict[str, Any]], key: str) -> list[tuple[str, str]]:
    """What Flower shows of a job's tasks."""
    state = State()
    for event in events:
        state.event(dict(event))
    tasks = [task for _, task in state.tasks_by_timestamp() if f"key={key}," in f"{task.args},".replace(")", ",")]
    return [(task.name.removeprefix("actorline."), task.state) for task in tasks]


@pytest.mark.thorough
def test_nothing_is_sent_while_nobody_listens(heard):
    assert heard["before"] == []


@pytest.mark.thorough
@pytest.mark.parametrize(("key", "pages"), [("one-page", 1), ("pages", 2)])
def test_each_stage_of_a_delivered_job_is_shown_once(heard, key, pages):
    stages = ["run", "start_run", "poll_run", "fetch_pages", *["fetch_page"] * pages, "finish_job"]
    assert Counter(shown(heard["after"], key)) == Counter((stage, "SUCCESS") for stage in stages)


@pytest.mark.thorough
@pytest.mark.parametrize(("key", "state"), [("failed", "FAILURE"), ("cancelled", "REVOKED")])
def test_order_is_shown_as_what_became_of_its_job(heard, key, state):
    """Also of a caller with a continuation, whose answer is a message."""
    orders = [each for each in shown(heard["after"], key) if each[0] == "run"]
    assert orders == [("run", state)] * 2
