"""What the jobs page costs with a large ledger: each page, and 200 that are open; see bench/README.md.

The gateway has one core to itself. The jobs are copies of a few that were registered: only the ledger is made.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from statistics import median
from typing import Any, Final

import httpx
from gateway import Target, standing
from stand import Meter, spread

from actorline.identifiers import JobKey
from actorline.jobs.document.parse import parse_document
from actorline.jobs.states import State
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.registration import NewJob, names_of_indexes

ROUNDS: Final = 5
JOBS_A_BLOCK: Final = 2_000
LIVE_JOBS: Final = 500
DAYS: Final = 30
OPEN_PAGES: Final = 200
KEYS_READ_SECS: Final = 10  # the first search for a part of a key has a gateway read all keys
TOLD_SECS: Final = 100  # by then each open page was told of a change
RARE: Final = 1_000  # one job of so many has an Actor, and a label, of its own
ENDS: Final = (*[State.DELIVERED] * 17, State.PARTIAL, State.FAILED, State.CANCELLED)


def fields_of(number: int, jobs: int) -> dict[str, Any]:
    """Return what a job was ordered with: 20 Actors, of which one has every thousandth job, and one only the oldest."""
    actor = f"user/actor-{number % 20}" if number % RARE else "user/rare"
    return {
        "actor": "user/oldest" if number < min(100, jobs) else actor,
        "account": f"account{number % 4}",
        "labels": {"team": f"team-{number % 10}", "shop": f"shop-{number % RARE}"},
    }


def make_jobs(ledger: Ledger, jobs: int) -> None:
    """Fill the ledger with jobs of the last 30 days; the newest are running."""
    model = _model(ledger)
    now = ledger.now()
    for start in range(0, jobs, JOBS_A_BLOCK):
        with ledger.redis.pipeline(transaction=False) as pipe:
            for number in range(start, min(start + JOBS_A_BLOCK, jobs)):
                fields = fields_of(number, jobs)
                key, queued_at = f"nightly-{number:06}", now - DAYS * 86_400 * (1 - number / jobs)
                is_live = number >= jobs - LIVE_JOBS
                state = State.RUNNING if is_live else ENDS[number % len(ENDS)]
                document = {**json.loads(model["document"]), **fields}
                pipe.hset(
                    ledger.name("job", key),
                    mapping={
                        **model,
                        "key": key,
                        "account": fields["account"],
                        "document": json.dumps(document, separators=(",", ":")),
                        "state": state,
                        "queued_at": queued_at,
                        **({} if is_live else {"ended_at": queued_at + 60}),
                    },
                )
                pipe.zadd(ledger.name("state", state), {key: queued_at})
                pipe.zadd(ledger.name("state", state, fields["account"]), {key: queued_at})
                for index in names_of_indexes(fields["actor"], fields["labels"], ledger.name):
                    pipe.zadd(index, {key: queued_at})
            pipe.execute()


def _model(ledger: Ledger) -> dict[str, Any]:
    key = JobKey("model")
    document = parse_document({"input": {"startUrls": ["https://example.com"]}, **fields_of(0, 1)})
    ledger.register([NewJob(key, document, "file:///rows/model/", fresh=True)], due_in_s=1e6)
    ledger.change(key, Change(to=State.DELIVERED, fields={"items": 240, "cost_usd": 0.0044}), epoch=None)
    stored: dict[str, Any] = ledger.redis.hgetall(ledger.name("job", key))
    return stored


def pages(jobs: int) -> Iterator[tuple[str, str]]:
    """Yield each page that is measured: what it is, and its path."""
    yield "the newest 50", "/"
    yield "of one state", "/?state=FAILED"
    yield "by an Actor that has each 20th job", "/?actor=user/actor-3"
    yield "by one that has each 1,000th", "/?actor=user/rare"
    yield "by one that only the 100 oldest have", "/?actor=user/oldest"
    yield "by an Actor that no job has", "/?actor=user/none"
    yield "by a label that each 10th job has", "/?label=team:team-3"
    yield "by one that each 1,000th has", "/?label=shop:shop-77"
    yield "of one account", "/?account=account1"
    yield "by a part of the key", f"/?text={jobs // 2:06}"
    yield "a job", f"/jobs/nightly-{jobs // 2:06}"
    yield "money", "/money"
    yield "fleet", "/fleet"
    yield "batches", "/batches"
    yield "schedules", "/schedules"


def measure_pages(target: Target, jobs: int) -> None:
    """Print what each page takes: the time until it is there, of it the gateway's and Valkey's CPU, and its size."""
    print("| page | ms | CPU ms: gateway, Valkey | kB | jobs shown |\n|---|---|---|---|---|")
    with httpx.Client(base_url=f"http://127.0.0.1:{target.port}", timeout=120) as http:
        http.get("/?text=any")
        time.sleep(KEYS_READ_SECS)
        for name, path in pages(jobs):
            http.get(path).raise_for_status()
            times: list[float] = []
            gateway, valkey = Meter(target.gateway_pid), Meter(target.valkey_pid)
            for _ in range(ROUNDS):
                began = time.perf_counter()
                page = http.get(path).raise_for_status()
                times.append((time.perf_counter() - began) * 1000)
            cpu = [meter.cpu_secs() * 1000 / ROUNDS for meter in (gateway, valkey)]
            shown = page.text.count('name="key" value=') if path.startswith("/?") or path == "/" else ""
            size = len(page.content) / 1000
            print(f"| {name} | {spread(times)} | {cpu[0]:.0f}, {cpu[1]:.0f} | {size:.0f} | {shown} |", flush=True)


async def measure_open_pages(target: Target, seconds: float) -> None:
    """Print what open pages of the list take while a job changes each second: as their script reads them again."""
    limits = httpx.Limits(max_connections=2 * OPEN_PAGES + 10)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{target.port}", timeout=None, limits=limits) as http:
        reads: list[float] = []
        followers = [asyncio.create_task(_follow(http, reads)) for _ in range(OPEN_PAGES)]
        changes = asyncio.create_task(_keep_changing(target.ledger))
        await asyncio.sleep(TOLD_SECS)
        gateway, valkey, before = Meter(target.gateway_pid), Meter(target.valkey_pid), len(reads)
        await asyncio.sleep(seconds)
        cpu = [meter.cpu_secs() / seconds * 100 for meter in (gateway, valkey)]
        for task in (*followers, changes):
            task.cancel()
    read = reads[before:]
    print(
        f"{OPEN_PAGES} open pages, {seconds:.0f} s: gateway {cpu[0]:.1f} %, Valkey {cpu[1]:.1f} % of a core; ", end=""
    )
    print(f"{len(read)} pages read again, {median(read or [0]) * 1000:.0f} ms each")


async def _follow(http: httpx.AsyncClient, reads: list[float]) -> None:
    async with http.stream("GET", "/live") as events:
        async for line in events.aiter_lines():
            if line == "event: changed":
                began = time.perf_counter()
                (await http.get("/", headers={"X-Refresh": "1"})).raise_for_status()
                reads.append(time.perf_counter() - began)


async def _keep_changing(ledger: Ledger) -> None:
    running = [key for key, _ in ledger.list_keys(State.RUNNING)]
    for key in running:
        await asyncio.to_thread(ledger.change, key, Change(to=State.DELIVERED), epoch=None)
        await asyncio.sleep(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--open-secs", type=float, default=160, help="0: no open pages")
    options = parser.parse_args()
    with standing() as target:
        used = target.ledger.server().used_bytes
        make_jobs(target.ledger, options.jobs)
        taken = target.ledger.server().used_bytes - used
        print(f"{options.jobs:,} jobs, {taken / options.jobs:,.0f} bytes of Redis each (as far as they are made)")
        measure_pages(target, options.jobs)
        if options.open_secs:
            asyncio.run(measure_open_pages(target, options.open_secs))
