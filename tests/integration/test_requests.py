"""What one job asks of the platform, by the emulator's request log."""

from itertools import pairwise

import pytest
from real_parts import wait_for

SIDE_BY_SIDE = 6
"""So many of eight pages at least."""


@pytest.fixture(scope="module")
def job(line):
    """The result of a job of 4,000 items in pages of 500, whose responses come when most of them are awaited. Its run
    goes on until two polls are about a second apart: each may be late on a busy machine, all of them hardly.
    """
    actor = line.emulator.actor("counted", items=4000, duration_secs=600)
    line.emulator.faults({"action": "delay", "secs": 600, "method": "GET", "path_regex": "/items$"})
    document = {"key": "counted", "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": 500}}
    order = line.submit(document)
    (run,) = wait_for(lambda: line.emulator.runs_of(actor), what="the run")
    wait_for(lambda: min(intervals(line, run["id"]), default=9) < 1.8, what="a poll that is hardly late")
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


def test_polls_are_the_interval_apart(line, job):
    assert min(intervals(line, job["run_id"])) > 0.8


def test_polls_are_five_seconds_apart_by_default(line):
    actor = line.emulator.actor("counted-slowly", items=1, duration_secs=600)
    line.submit({"key": "counted-slowly", "actor": actor}, ignore_result=True)
    (run,) = wait_for(lambda: line.emulator.runs_of(actor), what="the run")
    wait_for(lambda: min(intervals(line, run["id"]), default=99) < 9, what="a poll that is hardly late")
    assert min(intervals(line, run["id"])) > 4.7
    line.cancel("counted-slowly")


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


def intervals(line, run_id):
    """Seconds between the polls of a run."""
    asked = line.emulator.requests("GET", f"/v2/actor-runs/{run_id}")
    polls = [request["at"] for request in asked if request["user_agent"].startswith("actorline/")]
    return [later - earlier for earlier, later in pairwise(polls)]


def item_requests(line, dataset_id):
    return line.emulator.requests("GET", f"/v2/datasets/{dataset_id}/items")
