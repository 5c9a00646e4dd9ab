"""When its retention is over, all that is known of an ended job goes; what lives, and the rows, stay."""

from collections.abc import Iterator

import pytest
import redis
from real_parts import Line, delivery_of, make_line, running_workers, wait_for
from terminal import running_valkey

from actorline.ledger.queries.tally import read_tally
from actorline.ledger.store import connect
from config.celery import RESULT_DAYS

pytestmark = pytest.mark.thorough

DAY_SECS = 86_400
RETENTION_DAYS = 3
AGED = ("batches", "state:", "actor:")
"""The sets of the ledger that hold when each job was ordered."""


@pytest.fixture
def line(short_folder, emulator, tmp_path) -> Iterator[Line]:
    """A line on a Redis of its own, whose every key may be looked at."""
    with running_valkey(short_folder):
        line = make_line(
            f"redis+socket://{short_folder}/s", emulator, tmp_path, "aged", retention_days=str(RETENTION_DAYS)
        )
        yield line
        line.client.close()


def test_old_ends_are_forgotten_and_nothing_that_lives(line):
    quick = line.emulator.actor("aged-quick", items=3, duration_secs=0)
    endless = line.emulator.actor("aged-endless", items=3, duration_secs=3_600)
    failing = line.emulator.actor("aged-failing", items=0, duration_secs=0, final_status="FAILED")
    with running_workers(line, "control", "fetch"):
        delivered = order(line, "old-delivered", quick, reuse_secs=60, labels={"team": "old"}).get(timeout=120)
        order(line, "old-failed", failing)
        order(line, "old-cancelled", endless)
        batch(line, "old-batch", quick)
        order(line, "live-running", endless)
        batch(line, "live-batch", endless)
        for key in ("live-running", "old-cancelled", "live-batch.000000", "live-batch.000001"):
            wait_for(lambda key=key: line.state(key) == "RUNNING", what=f"the run of {key}")
        line.cancel("old-cancelled")
        line.cancel("live-batch.000000")
        gone = ["old-delivered", "old-failed", "old-cancelled", "old-batch.000000", "old-batch.000001"]
        kept = ["live-running", "live-batch.000000", "live-batch.000001"]
        wait_for(
            lambda: are_settled(line, [*gone, "live-batch.000000"]),
            what="all ends, with their final figures",
        )
    before, timeline = read_tally(line.ledger), line.events("live-batch.000000")
    age(line, RETENTION_DAYS + 1)
    with running_workers(line, "control", "fetch"):
        wait_for(lambda: not any(line.ledger.load_many(gone)), what="the old jobs to be forgotten")
        order(line, "new", quick).get(timeout=120)
        assert "old-" not in all_that_is_stored(line)
        assert [line.state(key) for key in kept] == ["RUNNING", "CANCELLED", "RUNNING"]
        assert line.events("live-batch.000000") == timeline  # kept as long as its batch
        assert delivery_of(delivered).lines.count(b"\n") == 3
        ends = [sum(tally.counted("ended").values()) for tally in (before, read_tally(line.ledger))]
        assert ends[1] == ends[0] + 1  # what came of all jobs, of those that are forgotten as well
        for key in ("live-running", "live-batch.000001"):
            line.cancel(key)
        wait_for(lambda: {line.state(key) for key in kept} == {"CANCELLED"}, what="the end of what lived")
    check_results_end(line)


def order(line: Line, key: str, actor: str, **fields):
    return line.submit({"key": key, "actor": actor, "poll_interval_secs": 1, **fields})


def batch(line: Line, key: str, actor: str) -> None:
    template = {"actor": actor, "poll_interval_secs": 1}
    line.send("actorline.batch", {"key": key, "template": template, "inputs": [{"n": 1}, {"n": 2}]})


def are_settled(line: Line, keys: list[str]) -> bool:
    jobs = line.ledger.load_many(keys)
    return all(job and job.is_terminal and job.figures_settled and not line.ledger.callers.of(job.key) for job in jobs)


def age(line: Line, days: float) -> None:
    """Let the ledger look as it does so many days after all that it holds: the times move, as Redis's clock can't."""
    client, passed_s = line.ledger.redis, days * DAY_SECS
    for name in client.scan_iter(f"{line.namespace}:*"):
        kind = name.removeprefix(f"{line.namespace}:")
        if kind.startswith(AGED):
            scores = client.zrange(name, 0, -1, withscores=True)
            client.zadd(name, {member: score - passed_s for member, score in scores})
        elif kind.startswith(("job:", "batch:")):
            times = {field: value for field, value in client.hgetall(name).items() if is_time(field, value)}
            client.hset(name, mapping={field: float(value) - passed_s for field, value in times.items()})


def is_time(field: str, value: str) -> bool:
    return field.endswith("_at") and value.replace(".", "").isdigit() and float(value) > 1e9


def all_that_is_stored(line: Line) -> str:
    """Every key and value of the ledger, as text."""
    client = line.ledger.redis
    return "\n".join(f"{name} {read(client, name)}" for name in client.scan_iter("*"))


def read(client: redis.Redis, name: str) -> object:
    match client.type(name):
        case "hash":
            return client.hgetall(name)
        case "set":
            return client.smembers(name)
        case "zset":
            return client.zrange(name, 0, -1)
        case "stream":
            return client.xrange(name)
        case "string":
            return client.get(name)
        case "none":  # it has just ended
            return None


def check_results_end(line: Line) -> None:
    """Celery's results end by themselves, by Redis's clock."""
    results = connect(line.results)
    ends = {name: results.ttl(name) for name in results.scan_iter("*")}
    results.close()
    assert ends
    assert {name: left for name, left in ends.items() if not 0 <= left <= RESULT_DAYS * DAY_SECS} == {}
