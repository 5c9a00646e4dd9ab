"""The deliveries of jobs that follow each other, newest first."""

from collections.abc import Iterator, Mapping
from typing import Final

from actorline.identifiers import AccountName
from actorline.jobs.job import Job
from actorline.jobs.job_key import schedule_of
from actorline.jobs.series import Series
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.listing import Cursor, list_jobs

JOBS_A_PAGE: Final = 10  # the newest one is nearly always the one that is wanted


def delivered_before(ledger: Ledger, series: Series, after: Cursor) -> Iterator[Job]:
    """Yield the DELIVERED jobs of a series, from a place in the list of all jobs on."""
    found = _delivered(ledger, series.key_text, series.labels, series.account, after)
    return (job for job in found if Series.of(job.key, job.document) == series)


def delivered_by_schedule(ledger: Ledger, name: str) -> Iterator[Job]:
    """Yield the DELIVERED jobs of a schedule."""
    for job in _delivered(ledger, f"{name}@", {}, None, None):
        if schedule_of(job.key) == name:
            yield job


def _delivered(
    ledger: Ledger, text: str, labels: Mapping[str, str], account: AccountName | None, after: Cursor | None
) -> Iterator[Job]:
    while True:
        page = list_jobs(
            ledger,
            limit=JOBS_A_PAGE,
            after=after,
            states=[State.DELIVERED],
            labels=labels,
            accounts=None if account is None else [account],
            text=text,
        )
        yield from page.jobs
        if page.next is None:
            return
        after = page.next
