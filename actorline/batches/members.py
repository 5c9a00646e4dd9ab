"""A batch's members: ordinary jobs, each with the document that the batch's own and its input make."""

import json
from collections.abc import Sequence
from typing import Any

from actorline.batches.batch import Batch
from actorline.batches.document import BatchDocument
from actorline.budgets.reservation import OwnBudget, batch_budget
from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.document.delta import LAST
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.parse import parse_document
from actorline.jobs.member_key import DIGITS, member_key
from actorline.jobs.sender import Sender
from actorline.ledger.registration import NewJob
from actorline.orders.submit import fill_sink
from actorline.settings import Settings


def member_folder(sink_url: str, number: int) -> str:
    return f"{sink_url}{number:0{DIGITS}d}/"


def member_document(document: BatchDocument, key: JobKey, sink_url: str, number: int, given: Any) -> JobDocument:
    """Return the document of one member. Raises Refused for an input that no run can have."""
    template = document.template
    fields = template.model_dump(exclude_defaults=True, exclude={"labels", "priority"})
    if template.delta and template.delta.base != LAST:
        fields["delta"]["base"] = member_key(template.delta.base, number)
    return parse_document(
        {
            **fields,
            "key": member_key(key, number),
            "input": given,
            "sink": {
                **document.sink.model_dump(exclude_defaults=True),
                "url": member_folder(sink_url, number),
            },
            "account": document.account,
            "priority": template.priority if "priority" in template.model_fields_set else document.priority,
            "labels": {**document.labels, **template.labels, "batch": key},
        }
    )


def own_budget(document: BatchDocument, key: JobKey) -> OwnBudget | None:
    """Return the budget that all members share. Raises Refused for one that can't be."""
    if document.budget_usd is None:
        return None
    try:
        return batch_budget(key, document.budget_usd)
    except ValueError as error:
        raise Refused(Code.DOCUMENT_INVALID, f"budget_usd {error}. Nothing was started.") from None


def new_members(batch: Batch, first: int, inputs: Sequence[bytes], settings: Settings) -> list[NewJob]:
    """Return the orders of the members whose inputs begin with number `first`. Raises Refused."""
    return [_new_member(batch, number, json.loads(line), settings) for number, line in enumerate(inputs, first)]


def _new_member(batch: Batch, number: int, given: Any, settings: Settings) -> NewJob:
    key = member_key(batch.key, number)
    document = member_document(batch.document, batch.key, batch.sink, number, given)
    return NewJob(
        key,
        document,
        fill_sink(document, key, 0, settings),
        fresh=False,
        sender=Sender("batch", batch.ordered_by),
        has_console=settings.has_console,
        budget=own_budget(batch.document, batch.key),
        member=(batch.key, number),
        most_of_holder=settings.quotas.open_jobs if batch.ordered_by else None,
    )
