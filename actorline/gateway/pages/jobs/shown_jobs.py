"""What the list of jobs shows, read from the ledger for one visitor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from actorline.errors import Code, Refused
from actorline.gateway.pages.jobs.job_filter import JobFilter
from actorline.gateway.pages.visit import Visit
from actorline.identifiers import AccountName, JobKey, RunId
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.ledger.queries.counts import count_jobs
from actorline.ledger.queries.listing import Cursor, list_jobs

JOBS_A_PAGE: Final = 50


@dataclass(frozen=True)
class ShownJobs:
    """`counts`: all jobs that the visitor sees, by state; `next`: the cursor of the rest; `now`: by Redis's clock."""

    jobs: list[Job]
    counts: Mapping[State, int]
    next: str | None
    now: float


def read_jobs(visit: Visit, wanted: JobFilter, cursor: str | None, *, limit: int = JOBS_A_PAGE) -> ShownJobs:
    """Read one page of the list. Raises Refused for a bad cursor or label, and redis.RedisError."""
    ledger, accounts = visit.context.ledger, _accounts(visit, wanted)
    now = ledger.now()
    counts = count_jobs(ledger, accounts)
    if cursor is None and (named := _named(visit, wanted)):
        return ShownJobs([named], counts, None, now)
    listed = list_jobs(
        ledger,
        limit=limit,
        after=Cursor.parse(cursor) if cursor else None,
        states=wanted.state or tuple(State),
        labels=wanted.labels,
        accounts=accounts,
        is_indexed=visit.context.index.is_complete,
        since=wanted.since(now),
        actor=wanted.actor,
        text=_key_part(visit, wanted),
        keys=visit.context.key_text,
    )
    return ShownJobs(listed.jobs, counts, str(listed.next) if listed.next else None, now)


def _accounts(visit: Visit, wanted: JobFilter) -> frozenset[AccountName] | None:
    """Return the accounts whose jobs are shown; None: all. Raises Refused for one that the visitor can't see."""
    if not wanted.account:
        return visit.grant.rights.accounts
    account = AccountName(wanted.account)
    if not visit.grant.sees(account):
        raise Refused(Code.FORBIDDEN, f"The API key doesn't cover the account {wanted.account[:64]!r}.")
    return frozenset({account})


def _key_part(visit: Visit, wanted: JobFilter) -> str:
    """Return the text that must be in a job's key; of a run's id that is its job's key."""
    return visit.context.ledger.runs.key_of(RunId(wanted.text)) or wanted.text if wanted.text else ""


def _named(visit: Visit, wanted: JobFilter) -> Job | None:
    """Return the job whose key, or run, the text is, if the rest of the filter fits it."""
    if not wanted.text:
        return None
    ledger = visit.context.ledger
    key = JobKey(wanted.text) if ledger.account(JobKey(wanted.text)) else ledger.runs.key_of(RunId(wanted.text))
    job = ledger.load(key) if key else None
    is_shown = job is not None and visit.grant.sees(job.document.account) and wanted == JobFilter(text=wanted.text)
    return job if is_shown else None
