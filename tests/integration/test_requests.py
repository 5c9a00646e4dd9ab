"""What one job asks of the platform, by the emulator's request log."""

from itertools import pairwise

import pytest


@pytest.fixture(scope="module")
def job(line):
    """The result of a job of 4,000 items in pages of 500, whose responses take a while, so that they can overlap."""
    actor = line.emulator.actor("counted", items=4000, duration_secs=2.5)
    line.emulator.faults({"action": "delay", "secs": 1.5, "method": "GET", "path_regex": "/items$"})
    document = {"key": "counted", "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": 500}}
    result = line.submit(document).get(timeout=120)
    line.emulator.end_faults()
    return result


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
    polls = polled_at(line, job)
    apart = [later - earlier for earlier, later in pairwise(polls)]
    assert 1 <= len(apart) <= 3
    assert min(apart) > 0.8
    assert min(apart) < 1.8  # each may be late on a busy machine, all of them hardly


def test_polls_are_five_seconds_apart_by_default(line):
    actor = line.emulator.actor("counted-slowly", items=1, duration_secs=3)
    first, second = polled_at(line, line.submit({"actor": actor}).get(timeout=120))
    assert 4.7 < second - first < 9


def test_pages_are_fetched_side_by_side(line, job):
    pages = item_requests(line, job)
    began, ended = [page["at"] for page in pages], [page["finished_at"] for page in pages]
    assert max(sum(b <= at < e for b, e in zip(began, ended, strict=True)) for at in began) >= 6


def test_no_page_is_fetched_twice_and_none_is_left_out(line, job):
    windows = sorted((int(page["query"]["offset"]), int(page["query"]["limit"])) for page in item_requests(line, job))
    assert windows == [*((offset, 500) for offset in range(0, 4000, 500)), (4000, 1)]  # the last one proves the end
    assert (job["items"], job["pages"]) == (4000, 8)


def polled_at(line, result):
    asked = line.emulator.requests("GET", f"/v2/actor-runs/{result['run_id']}")
    return [request["at"] for request in asked if request["user_agent"].startswith("actorline/")]


def item_requests(line, result):
    return line.emulator.requests("GET", f"/v2/datasets/{result['dataset_id']}/items")
