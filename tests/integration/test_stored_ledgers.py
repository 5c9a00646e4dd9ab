"""What earlier commits left in their ledgers stays readable: `tests/stored` holds dumps of real ones."""

import json

import pytest
from real_parts import ROOT

from actorline.batches.batch import BatchResult, load_batch
from actorline.jobs.job_result import JobResult
from actorline.jobs.states import LIVE, TERMINAL
from actorline.ledger.archive import Archive, unfinished
from actorline.ledger.queries.counts import count_jobs
from actorline.ledger.queries.listing import list_jobs
from actorline.orders.retry import plan_retry
from actorline.upkeep.old_jobs import DAY_SECS, forget_old_jobs

STATES = {
    "batch.000000": "DELIVERED", "batch.000001": "DELIVERED", "cancelled": "CANCELLED", "delivered": "DELIVERED",
    "expired": "EXPIRED", "failed": "FAILED", "partial": "PARTIAL", "refused": "FAILED", "running": "RUNNING",
}  # fmt: skip

ENDED = {"batch", *STATES} - {"running"}


@pytest.fixture(params=sorted((ROOT / "tests" / "stored").glob("ledger-*.json")), ids=lambda file: file.stem)
def stored(request, own_line):
    """A ledger that an earlier commit has left."""
    namespace = request.param.stem
    ledger = own_line(namespace).ledger
    if earlier := list(ledger.redis.scan_iter(f"{namespace}*")):
        ledger.redis.delete(*earlier)
    for name, key in json.loads(request.param.read_text())["keys"].items():
        write_key(ledger, namespace + name.removeprefix("actorline"), key["type"], key["content"])
    return ledger


def write_key(ledger, name, kind, content):
    match kind:
        case "hash":
            ledger.redis.hset(name, mapping=content)
        case "string":
            ledger.redis.set(name, content)
        case "set":
            ledger.redis.sadd(name, *content)
        case "zset":
            ledger.redis.zadd(name, dict(content))
        case "stream":
            for entry_id, fields in content:
                ledger.redis.xadd(name, fields, id=entry_id)


def test_each_job_is_listed_shown_and_has_its_result(stored):
    listed = {job.key: job for job in list_jobs(stored, limit=100).jobs}
    assert {key: job.state for key, job in listed.items()} == STATES
    assert sum(count_jobs(stored, None).values()) == len(STATES)
    results = {key: JobResult.of(job) for key, job in listed.items()}
    assert (results["delivered"].items, results["delivered"].records) == (40, 1)
    assert results["delivered"].manifest == "file:///tmp/stored-ledger/delivered/manifest.json"
    assert results["partial"].reason.code == "run-failed"
    assert results["refused"].reason.billed is False
    for key in STATES:
        assert stored.timeline.entries(key)[0].event == "queued"
        assert stored.load(key).document.version == 1


def test_batch_has_its_result(stored):
    result = BatchResult.of(load_batch(stored, "batch"))
    assert (result.state, result.items, result.members["DELIVERED"]) == ("DELIVERED", 80, 2)


def test_jobs_can_be_retried_taken_along_and_forgotten(stored, own_line):
    assert [key for key in ("partial", "failed", "expired") if not plan_retry(stored.load(key)).text] == []
    taken = own_line(f"{stored.namespace}-taken").ledger
    there, here = Archive(taken), Archive(stored)
    assert all([there.add_job(each) for each in here.jobs()] + [there.add_batch(each) for each in here.batches()])
    assert {job.key for job in list_jobs(taken, limit=100).jobs} == {key for key in STATES if STATES[key] in TERMINAL}
    assert unfinished(stored) == sum(state in LIVE for state in STATES.values()) == 1
    assert JobResult.of(taken.load("delivered")) == JobResult.of(stored.load("delivered"))
    assert stored.retention.forget(stored.load("delivered"))
    assert stored.load("delivered") is None


def test_retention_forgets_by_the_clock_and_keeps_the_tally(stored):
    tally = stored.redis.hgetall(stored.name("tally"))
    newest = max(stored.load(key).ended_at or 0 for key in STATES)
    days = (stored.now() - newest) / DAY_SECS

    forget_old_jobs(stored, retention_days=days + 30, limit=100)
    assert {key for key in STATES if stored.load(key)} == set(STATES)

    forget_old_jobs(stored, retention_days=days - 0.001, limit=100)

    assert {key for key in STATES if stored.load(key)} == {"running"}
    assert load_batch(stored, "batch") is None
    left = [name for name in stored.redis.scan_iter(f"{stored.namespace}:*") if set(name.split(":")) & ENDED]
    assert left == []
    for name in ("run_keys", "markers", "ids"):
        assert set(stored.redis.hvals(stored.name(name))) <= {"running"}, name
    assert stored.redis.hgetall(stored.name("tally")) == tally
