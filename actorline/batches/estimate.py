"""What will a batch cost? The order is checked, and compared with what ran before; nothing is registered or started."""

from typing import Any

from actorline.batches.batch import load_batch
from actorline.batches.document import BatchDocument, parse_batch
from actorline.batches.inputs.listed import listed_inputs
from actorline.batches.members import member_document, own_budget
from actorline.batches.submit import SAMPLE, check_batch
from actorline.errors import Code, Reason, Refused
from actorline.identifiers import JobKey
from actorline.jobs.job_key import fresh_key
from actorline.jobs.sender import Sender
from actorline.ledger.ledger import Ledger
from actorline.orders.estimate import Estimate, estimate_runs
from actorline.settings import Settings


def estimate_batch(raw: Any, *, ledger: Ledger, settings: Settings, trusted: bool, sender: Sender) -> Estimate:
    """Return what a batch would come to; `like_it`, `reserves_usd` and `waits` are of one member.

    Raises Refused for a document that isn't one, or whose inputs can't be a batch's.
    """
    document = raw if isinstance(raw, BatchDocument) else parse_batch(raw)
    key, lines, refusals = JobKey(document.key or fresh_key()), listed_inputs(document), list[Reason]()
    try:
        check_batch(document, key, lines, ledger, settings, trusted=trusted, sender=sender)
    except Refused as refused:
        refusals.append(refused.reason)
    existing = load_batch(ledger, key)
    if existing and existing.document_hash != document.body_hash(lines or ()):
        message = f"The key {key} is already used by another batch. Use a new key, or send the same document."
        refusals.append(Reason(code=Code.CONFLICT, message=message, billed=False))
    member = estimate_runs(
        member_document(document, SAMPLE, "file:///x/", 0, {}),
        ledger=ledger,
        settings=settings,
        sender=sender,
        refusals=refusals,
        own=own_budget(document, key),
    )
    runs = 0 if existing else None if lines is None else len(lines)
    shown = document.model_dump(mode="json", exclude={"inputs", "split"}, exclude_defaults=True)
    return member.model_copy(update={"document": shown, "runs": runs})
