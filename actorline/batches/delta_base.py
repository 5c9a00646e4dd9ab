"""The batch whose members' rows those of another batch are compared with (`template.delta`), number by number."""

from typing import Final

from actorline.batches.batch import load_batch
from actorline.batches.document import BatchDocument
from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.document.delta import LAST
from actorline.jobs.job_key import schedule_of
from actorline.jobs.sender import Sender
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.orders.delta import NO_SERIES

WITH_ROWS: Final = frozenset({State.DELIVERED, State.PARTIAL})


def check_base_batch(document: BatchDocument, key: JobKey, ledger: Ledger, sender: Sender) -> None:
    """Refuse a new batch whose base can't be compared with. One that the sender can't see is unknown to it."""
    delta = document.template.delta
    if delta is None:
        return
    if delta.base == LAST:
        if not (schedule_of(key) or document.labels or document.template.labels):
            raise Refused(Code.DOCUMENT_INVALID, NO_SERIES)
        return
    if ledger.batches.exists(key):
        return
    base = load_batch(ledger, delta.base)
    if delta.base == key:
        raise _refused("it is the batch itself; name an earlier one")
    if base is None or not sender.rights.sees(base.document.account):
        raise _refused(f"no batch has the key {delta.base}, or the ledger has purged it")
    if base.state not in WITH_ROWS:
        raise _refused(f"the batch {delta.base} is {base.state}; only one with rows can be compared with")


def _refused(problem: str) -> Refused:
    return Refused(Code.DOCUMENT_INVALID, f"template.delta.base: {problem}. Nothing was started.")
