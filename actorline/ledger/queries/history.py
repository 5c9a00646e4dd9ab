"""The latest runs of an Actor or Actor task that the ledger still has."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from pydantic import ValidationError

from actorline.identifiers import JobKey
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.lengths import STORED
from actorline.jobs.history import PastRun
from actorline.jobs.states import TERMINAL
from actorline.ledger.ledger import Ledger
from actorline.platform.statuses import RunStatus

LATEST_JOBS: Final = 2_000  # of each way to end, of all Actors: a fraction of a second to look through
LATEST_RUNS: Final = 200  # more of them say nothing better
JOBS_A_BLOCK: Final = 100
_FIELDS: Final = (
    "document",
    "account",
    "run_id",
    "run_status",
    "started_at",
    "cost_usd",
    "items",
    "run_started_at",
    "run_finished_at",
)


def past_runs(ledger: Ledger, wanted: JobDocument, *, among: int = LATEST_JOBS) -> list[PastRun]:
    """Return the latest runs that jobs with the same target have started in the same account, the newest first.

    `among`: the newest jobs of each way to end that are looked at.
    """
    keys = ledger.newest_keys(TERMINAL, among)
    return list(islice(_runs_like(ledger, keys, wanted), LATEST_RUNS))


def _runs_like(ledger: Ledger, keys: Sequence[JobKey], wanted: JobDocument) -> Iterator[PastRun]:
    for start in range(0, len(keys), JOBS_A_BLOCK):
        with ledger.redis.pipeline(transaction=False) as pipe:
            for key in keys[start : start + JOBS_A_BLOCK]:
                pipe.hmget(ledger.name("job", key), _FIELDS)
            for values in pipe.execute():
                stored = {name: value for name, value in zip(_FIELDS, values, strict=True) if value}
                if _is_like(stored, wanted) and (run := _past_run(stored)):
                    yield run


def _is_like(stored: Mapping[str, str], wanted: JobDocument) -> bool:
    if stored.get("account", "").lower() != wanted.account.lower():
        return False
    text = stored.get("document", "")
    if wanted.target[1] not in text:  # a look for the name takes less than reading the document
        return False
    try:
        document = JobDocument.model_validate_json(text, context=STORED)
    except ValidationError:  # a newer version's
        return False
    return document.target == wanted.target


def _past_run(stored: Mapping[str, str]) -> PastRun | None:
    """Return the run that the job started; None if it had none, or its cost isn't known."""
    if not {"run_id", "started_at", "cost_usd"} <= stored.keys():
        return None
    return PastRun(
        cost_usd=float(stored["cost_usd"]),
        rows=int(stored.get("items", 0)),
        minutes=_minutes(stored.get("run_started_at"), stored.get("run_finished_at")),
        succeeded=stored.get("run_status") == RunStatus.SUCCEEDED,
    )


def _minutes(began: str | None, ended: str | None) -> float | None:
    if not began or not ended:
        return None
    return round((datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds() / 60, 3)
