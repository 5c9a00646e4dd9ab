"""Orders of batches: each is checked with all that came with it, then registered in the ledger, on disk."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actorline.batches.allowance import take_allowance
from actorline.batches.delta_base import check_base_batch
from actorline.batches.document import BatchDocument, parse_batch
from actorline.batches.inputs.listed import held_split, listed_inputs
from actorline.batches.inputs.source import check_source
from actorline.batches.members import member_document, own_budget
from actorline.delivery.sink import SinkError, open_sink
from actorline.errors import Code, Overloaded, Refused
from actorline.identifiers import JobKey
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.secret import check_input_records, is_input_record
from actorline.jobs.job_key import fresh_key, key_of_task
from actorline.jobs.job_reservation import check_budgets
from actorline.jobs.member_key import BATCH_KEY_MAX_CHARS, member_key
from actorline.jobs.sender import Sender
from actorline.jobs.states import State
from actorline.ledger.batches import NewBatch
from actorline.ledger.ledger import Ledger
from actorline.orders.delta import check_comparison
from actorline.orders.submit import check_order, reaching
from actorline.settings import Settings

KEYS_A_BLOCK: Final = 1_000
SAMPLE: Final = JobKey("x")


@dataclass(frozen=True)
class SubmittedBatch:
    key: JobKey
    created: bool
    state: State


def submit_batch(
    raw: Any,
    *,
    ledger: Ledger,
    settings: Settings,
    trusted: bool,
    sender: Sender,
    caller: Mapping[str, Any] | None = None,
    fallback_key: JobKey | None = None,
) -> SubmittedBatch:
    """Register an order: a new batch, or a further caller of the batch with its key.

    `trusted`: it comes from this machine's user. Raises Refused (nothing is changed), Unavailable, which names the key,
    and Overloaded for a new batch for which Redis has no room.
    """
    document = raw if isinstance(raw, BatchDocument) else parse_batch(raw)
    key = JobKey(document.key or (key_of_task(caller["id"]) if caller else fallback_key or fresh_key()))
    lines = listed_inputs(document)
    sink = check_batch(document, key, lines, ledger, settings, trusted=trusted, sender=sender)
    batch = NewBatch(
        key,
        document.stored_text(),
        document.body_hash(lines or ()),
        account=document.account,
        sink=sink,
        listed=b"\n".join(lines) if lines is not None and document.split is None else None,
        split=held_split(document),
        caller=caller,
        sender=sender,
    )
    with reaching([key]):
        if not ledger.batches.exists(key):
            _check_memory(batch, ledger, settings)
            check_member_keys(key, len(lines or ()), ledger)
        allowance = take_allowance(document, None if lines is None else len(lines), ledger, sender)
        outcome, existing_hash, state = ledger.batches.register(batch)
        if allowance and outcome != "created":
            ledger.spend(allowance.given_back())
    if outcome == "reserved":
        raise taken_key(key, key)
    if outcome == "conflict":
        raise Refused(
            Code.CONFLICT,
            f"The key {key} is already used by another batch: its hash is {existing_hash}, this one's "
            f"{batch.document_hash}. Nothing was changed. Use a new key, or send the same document.",
            key=key,
        )
    return SubmittedBatch(key, outcome == "created", state)


def _check_memory(batch: NewBatch, ledger: Ledger, settings: Settings) -> None:
    more_bytes = len(batch.listed or b"") + len(batch.split or b"")
    if ledger.is_nearly_full(settings.redis_max_bytes, more_bytes=more_bytes):
        raise Overloaded(
            "Redis's memory is nearly full: the rest is kept for cancels, deadlines and what was ordered before. "
            "Nothing was started. Order again later."
        )


def check_batch(
    document: BatchDocument,
    key: JobKey,
    lines: Sequence[bytes] | None,
    ledger: Ledger,
    settings: Settings,
    *,
    trusted: bool,
    sender: Sender,
) -> str:
    """Return the URL of the batch's sink. Raises Refused for what this sender must not order."""
    _check_key(key)
    if sender.holder and document.max_running > settings.quotas.open_jobs:
        raise Refused(
            Code.QUOTA,
            f"max_running is {document.max_running:,}, but an API key may have {settings.quotas.open_jobs:,} open "
            "jobs. Nothing was started.",
        )
    sample = member_document(document, SAMPLE, "file:///x/", 0, {})
    check_budgets(sample, settings.budgets, own_budget(document, key))
    sink = check_order(_as_a_job(document, sample), key, ledger, settings, trusted=trusted, sender=sender)
    _check_folder(sink)
    check_comparison(sample, settings, sender)
    check_base_batch(document, key, ledger, sender)
    if document.inputs_url is not None:
        check_source(document.inputs_url, document.account, settings, trusted=trusted)
    if any(is_input_record(record) for record in sample.collect.records):
        for number, line in enumerate(lines or ()):
            if b'"$secret"' in line:
                check_input_records(
                    member_document(document, SAMPLE, "file:///x/", number, json.loads(line)), trusted=trusted
                )
    return sink


def _as_a_job(document: BatchDocument, sample: JobDocument) -> JobDocument:
    """Return what stands for all members in the checks that every order passes: with the batch's sink and notices."""
    update = {"sink": document.sink, "notify": document.notify, "key": None, "delta": None}
    return sample.model_copy(update=update)


def _check_key(key: JobKey) -> None:
    if len(key) > BATCH_KEY_MAX_CHARS:
        raise Refused(
            Code.DOCUMENT_INVALID,
            f"The key has {len(key)} characters; at most {BATCH_KEY_MAX_CHARS} are allowed, so that its members' keys "
            "fit. Nothing was started.",
        )


def _check_folder(sink: str) -> None:
    """Refuse a sink whose members' folders couldn't be named: with {run_id} in the default sink."""
    if "{" in sink:
        raise Refused(
            Code.SINK_REFUSED, f"The sink {sink} can't be a batch's: {{run_id}} isn't known there. Nothing was started."
        )
    try:
        open_sink(sink)
    except SinkError as error:
        raise Refused(Code.SINK_REFUSED, f"{error} Nothing was started.") from error


def check_member_keys(key: JobKey, inputs: int, ledger: Ledger) -> None:
    """Refuse a batch of whose members' keys one is taken. What is ordered later can't have them any more."""
    for first in range(0, inputs, KEYS_A_BLOCK):
        keys = [member_key(key, number) for number in range(first, min(first + KEYS_A_BLOCK, inputs))]
        if taken := ledger.batches.taken(keys):
            raise taken_key(key, taken[0])


def taken_key(key: JobKey, taken: str) -> Refused:
    message = (
        f"The batch {key} can't be ordered: the key {taken} is already used by another order. Nothing was started. "
        "Choose another key."
    )
    return Refused(Code.CONFLICT, message, key=taken)
