"""Every message may come twice: nothing is started, delivered or answered a second time."""

import pytest
from celery.utils import uuid
from real_parts import delivery_of, wait_for


@pytest.fixture
def slow_pages(line, faults):
    """Places an order and waits until its pages, which take a while, are on the way: the job, its pending result."""

    def place(key: str):
        actor = line.emulator.actor(key, items=900, duration_secs=0)
        faults({"method": "GET", "action": "delay", "secs": 0.6, "path_regex": "/items$"})
        document = {"key": key, "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": 300}}
        pending = line.submit(document)
        wait_for(lambda: "fetching" in line.events(key), what="pages on the way")
        return line.ledger.load(key), pending

    return place


def staged(result) -> list[str]:
    return [name for name in delivery_of(result).files if name.endswith(".tmp")]


def assert_delivered_once(line, key, pending):
    result = pending.get(timeout=120)
    assert (result["state"], result["items"], result["pages"]) == ("DELIVERED", 900, 3)
    assert delivery_of(result).sha256 == line.emulator.expected(result["dataset_id"])["sha256"]
    assert [entry for entry in line.events(key) if entry == "ended"] == ["ended"]
    wait_for(lambda: not staged(result), what="the end of the execution that came too late")
    return result


def test_finish_that_comes_three_times_delivers_once(line, slow_pages):
    job, pending = slow_pages("finish-doubled")
    for _ in range(2):
        line.send("actorline.finish_job", job.key, job.epoch, queue="fetch")
    assert_delivered_once(line, job.key, pending)


def test_finish_after_the_end_changes_nothing(line, slow_pages):
    job, pending = slow_pages("finish-late")
    result = assert_delivered_once(line, job.key, pending)
    folder = delivery_of(result).folder
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    for _ in range(2):
        line.send("actorline.finish_job", job.key, job.epoch, queue="fetch")
    _, later = slow_pages("finish-later")  # its messages lie behind the two in the queue
    later.get(timeout=120)
    after = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    if line.ledger.load(job.key).figures_settled:  # meanwhile: they stand in the manifest
        before[folder / "manifest.json"] = after[folder / "manifest.json"]
    assert after == before
    assert line.events(job.key).count("ended") == 1


def test_plan_that_comes_twice_fetches_no_window_twice(line, slow_pages):
    job, pending = slow_pages("plan-doubled")
    line.send("actorline.fetch_pages", job.key, job.epoch, queue="fetch")
    result = assert_delivered_once(line, job.key, pending)
    assert len(delivery_of(result).manifest["parts"]) == 3


def test_page_that_comes_twice_is_stored_once(line, slow_pages):
    job, pending = slow_pages("page-doubled")
    for page_no in range(3):
        args = [job.key, job.epoch, 1, page_no, 300 * page_no, 300, 300, 0]
        line.send("actorline.fetch_page", *args, queue="fetch")
    result = assert_delivered_once(line, job.key, pending)
    pages = line.emulator.requests("GET", f"/v2/datasets/{result['dataset_id']}/items")
    windows = [(page["query"]["offset"], page["query"]["limit"]) for page in pages]
    assert len(set(windows)) == len(windows) == 4


def test_poll_that_comes_twice_does_not_fork_the_polling(line):
    actor = line.emulator.actor("poll-doubled", items=10, duration_secs=600)
    pending = line.submit({"key": "poll-doubled", "actor": actor, "poll_interval_secs": 1})
    job = wait_for(lambda: (job := line.ledger.load("poll-doubled")) and job.run.id and job, what="the run")
    path = f"/v2/actor-runs/{job.run.id}"
    for polls in (1, 2):
        wait_for(lambda: len(line.emulator.requests("GET", path)) >= polls, what=f"{polls} polls")  # noqa: B023
        for _ in range(3):
            line.send("actorline.poll_run", job.key, job.epoch, queue="control")
    wait_for(lambda: len(line.emulator.requests("GET", path)) >= 5, what="polls after the doubled ones")
    line.emulator.finish(job.run.id)
    assert pending.get(timeout=120)["state"] == "DELIVERED"
    polled_at = [request["at"] for request in line.emulator.requests("GET", path)]
    assert len(polled_at) <= polled_at[-1] - polled_at[0] + 2  # one a second: each fork would add as many


def test_answer_that_comes_twice_sends_the_next_task_once(line):
    actor = line.emulator.actor("answer-doubled", items=10, duration_secs=0)
    pending = line.submit({"key": "answer-doubled", "actor": actor, "poll_interval_secs": 1})
    result = pending.get(timeout=120)
    wait_for(lambda: not line.ledger.callers.of("answer-doubled"), what="the caller's being known as answered")
    line.ledger.redis.hset(line.ledger.name("callers", "answer-doubled"), pending.id, "{}")
    following = line.client.signature("actorline.status", args=["nobody"], queue=line.namespace, task_id=uuid())
    queue = f"{line.namespace}.control"
    line.client.send_task("actorline.answer", ["answer-doubled"], queue=queue, task_id=pending.id, link=following)
    wait_for(lambda: not line.ledger.callers.of("answer-doubled"), what="the doubled answer's finding that it is one")
    assert line.client.AsyncResult(following.options["task_id"]).state == "PENDING"
    assert pending.get(timeout=120) == result


def ended(line, key, attempt=1):
    return wait_for(
        lambda: (job := line.ledger.load(key)) and job.is_terminal and job.attempt == attempt and job, what="the end"
    )


def test_order_without_a_key_that_comes_twice_is_one_paid_run(line):
    actor = line.emulator.actor("keyless-doubled", items=10, duration_secs=1)
    task_id = uuid()
    orders = [line.submit({"actor": actor, "poll_interval_secs": 1}, task_id=task_id) for _ in range(2)]
    results = [order.get(timeout=120) for order in orders]
    late = line.submit({"actor": actor, "poll_interval_secs": 1}, task_id=task_id)
    line.send("actorline.status", "nobody").get(timeout=120)  # it lies behind the late one in the queue
    assert results[0] == results[1] == late.get(timeout=120)
    assert len(line.emulator.starts(actor)) == 1


def test_retry_that_comes_twice_pays_for_one_more_run(line):
    actor = line.emulator.actor("retry-doubled", items=0, duration_secs=0, final_status="FAILED")
    line.submit({"key": "retry-doubled", "actor": actor, "poll_interval_secs": 1})
    ended(line, "retry-doubled")
    task_id = uuid()
    for _ in range(2):
        line.client.send_task("actorline.retry", ["retry-doubled"], queue=line.namespace, task_id=task_id)
        ended(line, "retry-doubled", attempt=2)
    line.send("actorline.status", "nobody").get(timeout=120)
    assert ended(line, "retry-doubled", attempt=2).retries == 1
    assert len(line.emulator.starts(actor)) == 2


def test_cancel_that_comes_again_after_a_retry_stops_nothing(line):
    actor = line.emulator.actor("cancel-doubled", items=0, duration_secs=600)
    line.submit({"key": "cancel-doubled", "actor": actor, "poll_interval_secs": 1})
    wait_for(lambda: (job := line.ledger.load("cancel-doubled")) and job.run.id, what="the run")
    task_id = uuid()

    def cancel():
        line.client.send_task("actorline.cancel", ["cancel-doubled"], queue=line.namespace, task_id=task_id)
        line.send("actorline.status", "nobody").get(timeout=120)

    cancel()
    assert ended(line, "cancel-doubled").state == "CANCELLED"
    line.send("actorline.retry", "cancel-doubled").get(timeout=120)
    cancel()
    assert line.ledger.load("cancel-doubled").stop_wish is None
    assert "cancel-asked" not in line.events("cancel-doubled")[line.events("cancel-doubled").index("retried") :]
    line.cancel("cancel-doubled").get(timeout=120)
    assert ended(line, "cancel-doubled", attempt=2).state == "CANCELLED"
