"""`make storm`: hundreds of small jobs while workers are killed and frozen and Valkey is killed, all at random.

Not collected with the other tests. `make storm JOBS=100 SEED=7` repeats orders and blows, though not their timing.
"""

import os
import time
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from random import Random
from statistics import median
from typing import Any, Final

import pytest
import redis
from celery import Celery
from kombu.exceptions import OperationalError
from mortal_valkey import mortal_valkey
from orders import Faults, Order, judge, make_order
from real_parts import Line, make_line, unacked, wait_for
from weather import Weather

from actorline.messages import celery_arguments

IN_FLIGHT: Final = 30
END_SECS: Final = 300.0  # for what is still under way when the last order is placed, and for the last leftovers
REPORT_EVERY_SECS: Final = 15.0
ENDS: Final = frozenset({"DELIVERED", "PARTIAL", "FAILED", "CANCELLED", "EXPIRED"})


@pytest.mark.timeout(4 * 3600)
def test_every_job_of_a_storm_ends_as_it_must_and_is_paid_once(emulator, tmp_path, capsys):
    def say(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)  # noqa: T201

    count, seed = int(os.environ.get("JOBS") or 500), int(os.environ.get("SEED") or time.time())
    say(f"\n{count} jobs, SEED={seed}")
    rng = Random(seed)
    orders = [make_order(number, rng, emulator) for number in range(count)]
    with mortal_valkey() as valkey:
        # some jobs are polled by countdown, the others parked
        line = make_line(valkey.url, emulator, tmp_path / "home", "storm", start_settle_secs="5", countdown_polls="8")
        weather = Weather(line, valkey, Random(seed))
        began = time.monotonic()
        try:
            weather.begin()
            Storm(line, orders).run(report=lambda progress: say(f"{progress}; {len(weather.blows)} blows"))
            weather.calm()
            took_s = time.monotonic() - began
            say("calm: looking at what is left")
            wait_for(lambda: not unacked(line), within=END_SECS, what="an empty unacked set")
            faults, runs = Faults(), []
            for order in orders:
                runs += judge(order, line, answer_of(line, order), faults)
            left = [str(path) for path in line.home.rglob(".*.tmp")]
            report = describe(line, orders, runs, weather, took_s)
        finally:
            weather.end()
            line.client.close()
    say(report)
    assert faults.said == []
    assert left == []


class Storm:
    """Places the orders, some at a time, cancels those that are to be, and waits for every job's end.

    `every_s`: between two orders, at least. `in_flight`: of them at once, at most.
    """

    def __init__(self, line: Line, orders: Sequence[Order], *, every_s: float = 0, in_flight: int = IN_FLIGHT) -> None:
        self._line = line
        self._in_flight = in_flight
        self._every_s = every_s
        self._next_at = time.monotonic()
        self._waiting = deque(orders)
        self._going: dict[str, tuple[Order, float]] = {}
        self._asked_at: dict[str, float] = {}
        # without a back end, whose subscriptions a service would lose with Valkey
        self._sender = make_sender(line)

    def run(self, report: Callable[[str], None]) -> None:
        deadline, report_at = None, time.monotonic()
        while self._waiting or self._going:
            while self._waiting and len(self._going) < self._in_flight and time.monotonic() >= self._next_at:
                self._next_at += self._every_s
                self._place(self._waiting.popleft())
            for order, placed_at in list(self._going.values()):
                self._look(order, placed_at)
            if not self._waiting:
                deadline = deadline or time.monotonic() + END_SECS
                assert time.monotonic() < deadline, f"these did not end: {sorted(self._going)}"
            if time.monotonic() > report_at:
                report_at += REPORT_EVERY_SECS
                report(f"{len(self._waiting)} to be ordered, {len(self._going)} going on")
            time.sleep(0.3)
        self._sender.close()

    def _place(self, order: Order) -> None:
        self._send("actorline.run", order.document, task_id=order.key)
        self._going[order.key] = order, time.monotonic()

    def _look(self, order: Order, placed_at: float) -> None:
        state = patiently(lambda: self._line.state(order.key))
        if state in ENDS:
            del self._going[order.key]
        elif state is None and time.monotonic() - placed_at > 60:  # its message may be lost with a worker: order again
            self._place(order)
        elif order.cancel_after is not None and time.monotonic() - placed_at > order.cancel_after:
            self._cancel(order.key)

    def _cancel(self, key: str) -> None:
        """Now and then once more: this message may be lost with a worker, too."""
        if time.monotonic() - self._asked_at.get(key, 0) > 10:
            self._asked_at[key] = time.monotonic()
            self._send("actorline.cancel", key)

    def _send(self, task: str, *args: Any, **options: Any) -> None:
        queue = self._line.namespace
        patiently(lambda: self._sender.send_task(task, args, queue=queue, retry=False, **options))


def make_sender(line: Line) -> Celery:
    arguments = celery_arguments(line.broker, line.results)
    to_broker = {name: value for name, value in arguments.items() if name.startswith("broker")}
    return Celery("storm", **to_broker, set_as_current=False)


def patiently(ask: Callable[[], Any]) -> Any:
    """Ask until Redis responds: it is killed now and then."""
    while True:
        try:
            return ask()
        except (redis.RedisError, OperationalError, OSError):
            time.sleep(0.2)


def answer_of(line: Line, order: Order) -> Any:
    return line.client.AsyncResult(order.key).get(timeout=60, propagate=False)


def describe(line: Line, orders: Sequence[Order], runs: list[dict[str, Any]], weather: Weather, took_s: float) -> str:
    """The row for docs/promises.md, and what it is made of."""
    jobs = [job for order in orders if (job := line.ledger.load(order.key))]
    taken = sorted(take_overs(line, orders, weather.blows))
    row = {
        "jobs": len(jobs),
        "workers killed": weather.count("worker killed"),
        "workers frozen": weather.count("worker frozen"),
        "Valkey killed": weather.count("Valkey killed"),
        "runs paid": len(runs),
        "runs adopted": sum(job.run.adopted for job in jobs),
        "rows": f"{sum(job.collection.items for job in jobs):,}",
        "taken over after (median, most)": f"{median(secs for secs, _ in taken):.1f} s, {taken[-1][0]:.1f} s",
    }
    ends = ", ".join(f"{number} {state}" for state, number in Counter(str(job.state) for job in jobs).most_common())
    return "\n".join(
        [
            f"{took_s / 60:.1f} minutes; {ends}; {weather.deaths} workers died of a lost Valkey",
            f"| {' | '.join(row)} |",
            f"|{'---|' * len(row)}",
            f"| {' | '.join(str(value) for value in row.values())} |",
            "the longest until all jobs had gone on:",
            *(f"  {secs:.1f} s, {what}" for secs, what in taken[:-6:-1]),
        ]
    )


Step = tuple[float, str]
"""When, and what: an entry of a job's timeline, or a request for its run or its dataset."""


def take_overs(line: Line, orders: Sequence[Order], blows: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """For each blow, the seconds until every job that was going on then had gone on, and the last one to do so."""
    steps = [(order, sorted(steps_of(line, order))) for order in orders]
    return [
        max(_next_step(order, taken, at, blow) for order, taken in going)
        for at, blow in blows
        if (going := [(order, taken) for order, taken in steps if taken and taken[0][0] < at < taken[-1][0]])
    ]


def _next_step(order: Order, steps: Sequence[Step], at: float, blow: str) -> tuple[float, str]:
    number = bisect_right(steps, at, key=lambda step: step[0])
    then, what = steps[number]
    return then - at, f"{blow}: {order.key} ({order.kind}), from {steps[number - 1][1]} to {what}"


def steps_of(line: Line, order: Order) -> list[Step]:
    job = line.ledger.load(order.key)
    if job is None:
        return []
    ids = [each for each in (job.run.id, job.run.dataset_id) if each]
    paths = [f"/v2/{kind}/{each}" for each in ids for kind in ("actor-runs", "datasets")]
    requests = [request for path in paths for request in line.emulator.requests(path_prefix=path)]
    steps = [
        *((entry.at, entry.event) for entry in line.ledger.timeline.entries(order.key)),
        *((request["at"], f"{request['method']} {request['path']}") for request in requests),
    ]
    return [step for step in steps if step[0] <= (job.ended_at or 0)]  # some are looked at once more later
