"""A comparison with an earlier delivery: refused before anything is in the ledger where it can't be made."""

from collections.abc import Callable
from typing import Final

from actorline.delivery.changes.find_changes import has_comparison
from actorline.errors import Code, Reason, Refused
from actorline.identifiers import AccountName, JobKey
from actorline.jobs.document.delta import COMPARED, LAST
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.job import Job
from actorline.jobs.rights import Scope
from actorline.jobs.sender import Sender
from actorline.jobs.series import Series
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.orders.workers_packages import has_workers_packages
from actorline.settings import Settings

NO_COMPARISON: Final = (
    "delta needs duckdb, which isn't installed where the workers run. Nothing was started. Install actorline[delta] "
    "there (docs/changes.md says how for the image), or order without delta."
)
NO_SERIES: Final = (
    'delta.base "last" is the last delivery of the same schedule, or of the same Actor with the same labels: this '
    "order belongs to no schedule and has no label. Nothing was started. Give it a label, or name a job."
)


class UnusableBase(Exception):
    """A job that can't be compared with; the message says why."""


def lacks_comparison(document: JobDocument) -> Reason | None:
    """Return why this process can't compare what was ordered; None if it can."""
    if document.delta is None or has_comparison():
        return None
    return Reason(code=Code.DOCUMENT_INVALID, message=NO_COMPARISON, billed=False)


def check_comparison(document: JobDocument, settings: Settings, sender: Sender) -> None:
    """Refuse a comparison where it is known that the workers lack the library, and for a sender that must not read
    earlier deliveries, whose rows it would get.
    """
    if document.delta is None:
        return
    if has_workers_packages(settings, sender) and (reason := lacks_comparison(document)):
        raise Refused(reason.code, reason.message)
    if not sender.rights.has(Scope.READ):
        raise Refused(
            Code.FORBIDDEN,
            "The API key needs the scope read for delta: changes hold rows of earlier deliveries. Nothing was started.",
        )


def check_base(document: JobDocument, key: JobKey, ledger: Ledger, sender: Sender) -> None:
    """Refuse a new order whose base can't be compared with; one that joins a job changes nothing.

    A job that the sender can't see is unknown to it. Whether the delivery still exists is checked before the start.
    """
    if document.delta is None:
        return
    if document.delta.base == LAST:
        if Series.of(key, document) is None:
            raise Refused(Code.DOCUMENT_INVALID, NO_SERIES)
        return
    if ledger.account(key) is not None:
        return
    try:
        load_base(ledger, document.delta.base, key, sender.rights.sees)
    except UnusableBase as error:
        raise Refused(Code.DOCUMENT_INVALID, f"delta.base: {error}. Nothing was started.") from None


def load_base(ledger: Ledger, named: JobKey, key: JobKey, sees: Callable[[AccountName], bool] = lambda _: True) -> Job:
    """Return the job `named` as the base of another; `sees`: of which accounts jobs are known. Raises UnusableBase."""
    if named == key:
        raise UnusableBase("it is the job itself; name an earlier one")
    base = ledger.load(named)
    if base is None or not sees(base.document.account):
        raise UnusableBase(f"no job has the key {named}, or the ledger has purged it")
    if base.state is not State.DELIVERED:
        raise UnusableBase(f"the job {named} is {base.state}; only a DELIVERED one can be compared with")
    collect = base.document.collect
    if not collect.dataset or collect.format not in COMPARED:
        found = collect.format if collect.dataset else "no rows"
        raise UnusableBase(f"the job {named} delivered {found}; only jsonl and json can be compared with")
    return base
