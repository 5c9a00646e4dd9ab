"""What a service would write by hand: a chain of start, poll and fetch, where fetch becomes a chord of pages.

It keeps no ledger and promises nothing: a lost reply pays twice, a lost message waits for an hour. Run by
`celery -A plain_chain worker`, with `API`, `BROKER`, `RESULTS` and `FOLDER` in the environment.
"""

import gzip
import os
import threading
from pathlib import Path
from typing import Any, Final

import requests
from celery import Celery, Task, chain, chord

PAGE_ITEMS: Final = 62_500
POLL_SECS: Final = 1
TIMEOUT_SECS: Final = 30

app = Celery("plain_chain", broker=os.environ["BROKER"], backend=os.environ["RESULTS"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, worker_redirect_stdouts=False)
threads = threading.local()


@app.task
def start(actor: str) -> str:
    run_id: str = ask("POST", f"actors/{actor.replace('/', '~')}/runs").json()["data"]["id"]
    return run_id


@app.task(bind=True, max_retries=None)
def poll(self: "Task[Any, Any]", run_id: str) -> str:
    run = ask("GET", f"actor-runs/{run_id}").json()["data"]
    if run["status"] in {"READY", "RUNNING"}:
        raise self.retry(countdown=POLL_SECS)
    dataset_id: str = run["defaultDatasetId"]
    return dataset_id


@app.task(bind=True)
def fetch(self: "Task[Any, Any]", dataset_id: str) -> None:
    count = ask("GET", f"datasets/{dataset_id}").json()["data"]["itemCount"]
    pages = [page.s(dataset_id, offset) for offset in range(0, count, PAGE_ITEMS)]
    raise self.replace(chord(pages, gather.s()))


@app.task
def page(dataset_id: str, offset: int) -> int:
    query = f"format=jsonl&offset={offset}&limit={PAGE_ITEMS}"
    rows = ask("GET", f"datasets/{dataset_id}/items?{query}").content
    Path(os.environ["FOLDER"], f"{dataset_id}-{offset}.jsonl.gz").write_bytes(gzip.compress(rows, 1))
    return rows.count(b"\n")


@app.task
def gather(counts: list[int]) -> int:
    return sum(counts)


def order(actor: str) -> Any:
    return chain(start.s(actor), poll.s(), fetch.s()).apply_async()


def ask(method: str, path: str) -> requests.Response:
    if not hasattr(threads, "session"):
        threads.session = requests.Session()
        threads.session.headers["Authorization"] = f"Bearer {os.environ['TOKEN']}"
    response: requests.Response = threads.session.request(
        method, f"{os.environ['API']}/v2/{path}", timeout=TIMEOUT_SECS
    )
    response.raise_for_status()
    return response
