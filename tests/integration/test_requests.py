"""What one job asks of the platform, by the emulator's request log."""

import pytest
from real_parts import wait_for

SIDE_BY_SIDE = 6
"""So many of eight pages at least."""


@pytest.fixture(scope="module")
def job(line):
    """The result of a job of 4,000 items in pages of 500, whose responses come when most of them are awaited."""
    actor = line.emulator.actor("counted", items=4000, duration_secs=600)
    line.emulator.faults({"action": "delay", "secs": 600, "method": "GET", "path_regex": "/items$"})
    document = {"key": "counted", "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": 500}}
    order = line.submit(document)
    (run,) = wait_for(lambda: line.emulator.runs_of(actor), what="the run")
    line.emulator.finish(run["id"])
    wait_for(lambda: len(item_requests(line, run["defaultDatasetId"])) >= SIDE_BY_SIDE, what="pages side by side")
    line.emulator.end_faults()
    return order.get(timeout=120)


def test_one_job_posts_one_start(line, job):
    assert len(line.emulator.starts("demo/counted")) == 1
    posts = [request["path"] for request in line.emulator.requests("POST") if job["run_id"] in request["path"]]
    assert posts == []


def test_start_carries_the_marker_and_no_token_in_its_url(line, job):
    (start,) = line.emulator.starts("demo/counted")
    assert start["user_agent"].startswith("actorline/")
    assert line.emulator.run(job["run_id"])["meta"]["userAgent"] == start["user_agent"]
    assert start["query"] == {}


@pytest.mark.parametrize(
    ("asked", "count", "at_least"), [({"poll_interval_secs": 1}, 6, 0.8), ({}, 3, 4.2)], ids=["one-second", "default"]
)
def test_polls_are_the_interval_apart(line, asked, count, at_least):
    """Five seconds by default. A poll that comes late, as on a busy machine, is nearer to the next: so their mean."""
    key = f"counted-{count}"
    actor = line.emulator.actor(key, items=1, duration_secs=600)
    line.submit({"key": key, "actor": actor, **asked}, ignore_result=True)
    (run,) = wait_for(lambda: line.emulator.runs_of(actor), what="the run")
    polls = wait_for(lambda: len(at := polls_of(line, run["id"])) >= count and at, what="the polls")
    assert (polls[-1] - polls[0]) / (len(polls) - 1) > at_least
    line.cancel(key)


def test_pages_are_fetched_side_by_side(line, job):
    pages = item_requests(line, job["dataset_id"])
    began, ended = [page["at"] for page in pages], [page["finished_at"] for page in pages]
    assert max(sum(b <= at < e for b, e in zip(began, ended, strict=True)) for at in began) >= SIDE_BY_SIDE


def test_no_page_is_fetched_twice_and_none_is_left_out(line, job):
    windows = sorted(
        (int(page["query"]["offset"]), int(page["query"]["limit"])) for page in item_requests(line, job["dataset_id"])
    )
    assert windows == [*((offset, 500) for offset in range(0, 4000, 500)), (4000, 1)]  # the last one proves the end
    assert (job["items"], job["pages"]) == (4000, 8)


def polls_of(line, run_id):
    """When the run was polled."""
    asked = line.emulator.requests("GET", f"/v2/actor-runs/{run_id}")
    return [request["at"] for request in asked if request["user_agent"].startswith("actorline/")]


def item_requests(line, dataset_id):
    return line.emulator.requests("GET", f"/v2/datasets/{dataset_id}/items")
