"""A primary is lost under load and its sentinels promote a replica: every job ends as it must, and is paid for once.

`make failover JOBS=40`; not collected with the other tests. Prints the rows of docs/promises.md.
"""

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

import pytest
from orders import Faults, Order, judge, make_order
from real_parts import Line, in_background, make_line, start_worker, unacked, wait_for
from replicated_valkey import ReplicatedValkey, Server, replicated_valkey
from storm import Storm, answer_of, patiently

JOBS: Final = int(os.environ.get("JOBS") or 40)
WORKERS: Final = 2
APART_SECS: Final = 0.7  # so that some jobs are under way and some are still to come
AWAY_SECS: Final = 8.0
ACKED_SECS: Final = 120.0


@pytest.fixture
def replicated() -> Iterator[ReplicatedValkey]:
    folder = Path(tempfile.mkdtemp(prefix="al-"))
    with replicated_valkey(folder, replicas=2) as found:
        yield found
    shutil.rmtree(folder)


def kill(primary: Server, replicated: ReplicatedValkey) -> Callable[[], None]:
    del replicated
    primary.kill()
    return primary.start_again


def freeze(primary: Server, replicated: ReplicatedValkey) -> Callable[[], None]:
    """It wakes up as a primary that has a successor: what it still accepts is lost."""
    del replicated
    primary.freeze()
    return primary.wake


def hand_over(primary: Server, replicated: ReplicatedValkey) -> Callable[[], None]:
    del primary
    replicated.hand_over()
    return lambda: None


def hand_over_in_use(primary: Server, replicated: ReplicatedValkey) -> Callable[[], None]:
    del primary
    replicated.hand_over_in_use()
    return lambda: None


STRIKES: Final = (kill, freeze, hand_over, hand_over_in_use)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.__name__)
def test_failover_under_load_loses_and_doubles_nothing(replicated, emulator, tmp_path, capsys, strike):
    name = f"failover-{strike.__name__}"
    line = make_line(replicated.address, emulator, tmp_path / "home", name, start_settle_secs="5", countdown_polls="8")
    rng = Random(name)
    first = 10_000 + 1_000 * STRIKES.index(strike)
    orders = [make_order(first + number, rng, emulator) for number in range(JOBS)]
    with kept_running(line) as deaths, ThreadPoolExecutor(1) as pool:
        storm = pool.submit(Storm(line, orders, every_s=APART_SECS).run, report=lambda _: None)
        wait_for(lambda: ended(line, orders) > JOBS // 8 or storm.done(), what="jobs under way")
        primary, struck_at = replicated.primary, time.monotonic()
        give_back = strike(primary, replicated)
        replicated.wait_for_successor(primary)
        promoted_s = time.monotonic() - struck_at
        before = ended(line, orders)
        wait_for(lambda: ended(line, orders) > before or storm.done(), what="a job that ends after the failover")
        resumed_s = time.monotonic() - struck_at
        time.sleep(max(0, AWAY_SECS - resumed_s))
        give_back()
        storm.result()
        wait_until_all_acked(line)
        faults, runs = Faults(), []
        for order in orders:
            runs += judge(order, line, answer_of(line, order), faults)
        rows = sum(patiently(lambda order=order: line.ledger.load(order.key)).collection.items for order in orders)
    line.client.close()
    with capsys.disabled():
        print(  # noqa: T201 - the row for docs/promises.md
            f"\n| {strike.__name__} | {JOBS} | {len(runs)} | {rows:,} | {promoted_s:.1f} s | {resumed_s:.1f} s | "
            f"{len(deaths)} |"
        )
    assert not faults.said, "\n".join(faults.said)


def ended(line: Line, orders: list[Order]) -> int:
    return sum(patiently(lambda order=order: "ended" in line.events(order.key)) for order in orders)


def wait_until_all_acked(line: Line) -> None:
    """Wait for it, and say which messages nobody has acknowledged otherwise."""
    deadline = time.monotonic() + ACKED_SECS
    while patiently(lambda: unacked(line)):
        if time.monotonic() > deadline:
            pytest.fail(f"not acknowledged: {patiently(lambda: held_messages(line))}")
        time.sleep(0.5)


def held_messages(line: Line) -> list[str]:
    """Each message that a worker has taken: its task, its arguments, when it is due, when it was last renewed."""
    with line.client.connection_for_read() as connection:
        client = connection.default_channel.client
        renewed = dict(client.zrange(f"{line.namespace}.unacked_index", 0, -1, withscores=True))
        held = client.hgetall(f"{line.namespace}.unacked")
        now = client.time()[0]
    said = []
    for tag in {*renewed, *held}:
        age = f"renewed {now - renewed[tag]:.0f} s ago" if tag in renewed else "in no index"
        headers = json.loads(held[tag])[0]["headers"] if tag in held else {}
        said.append(f"{headers.get('task')} {headers.get('argsrepr')} due {headers.get('eta')}, {age}")
    return said


@contextmanager
def kept_running(line: Line) -> Iterator[list[int]]:
    """Workers that are started again when they die, as the stack does it; the exit codes of those that did."""
    workers = [start_worker("all", line) for _ in range(WORKERS)]
    deaths: list[int] = []
    over = threading.Event()

    def look_after() -> None:
        while not over.wait(0.5):
            for number, worker in enumerate(workers):
                if (code := worker.poll()) is not None:
                    deaths.append(code)
                    workers[number] = start_worker("all", line)

    try:
        with in_background(look_after, over.set):
            yield deaths
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(60)
