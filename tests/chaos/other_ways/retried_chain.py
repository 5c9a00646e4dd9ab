"""Runs an Actor as a plain chain of Celery tasks, each as reliable as Celery's documentation tells how to make it."""

import os
from typing import Any, Final

import requests
from celery import Celery

API: Final = f"{os.environ['API']}/v2"
HEADERS: Final = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
TIMEOUT_SECS: Final = 30
RELIABLE: Final[dict[str, Any]] = {
    "autoretry_for": (Exception,),
    "retry_backoff": True,
    "acks_late": True,
    "reject_on_worker_lost": True,
}

app = Celery("retried_chain", broker=os.environ["BROKER"], backend=os.environ["RESULTS"])


class GoesOnError(Exception):
    pass


@app.task(**RELIABLE)
def start(actor: str) -> str:
    return ask("POST", f"actors/{actor}/runs")["data"]["id"]


@app.task(**RELIABLE, max_retries=None, retry_backoff_max=4)
def poll(run_id: str) -> str:
    run = ask("GET", f"actor-runs/{run_id}")["data"]
    if run["status"] != "SUCCEEDED":
        raise GoesOnError
    return run["defaultDatasetId"]


@app.task(**RELIABLE)
def fetch(dataset_id: str) -> int:
    return len(ask("GET", f"datasets/{dataset_id}/items"))


def ask(method: str, path: str) -> Any:
    response = requests.request(method, f"{API}/{path}", headers=HEADERS, timeout=TIMEOUT_SECS)
    response.raise_for_status()
    return response.json()
