"""What will it cost? An order is checked, and compared with what ran before; nothing is registered or started."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from actorline.budgets.reservation import NANO, Entry, OwnBudget, Reservation
from actorline.errors import Code, Reason, Refused
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.parse import parse_document
from actorline.jobs.history import History
from actorline.jobs.job_key import fresh_key
from actorline.jobs.job_reservation import reservation_for, waiting_text
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import Sender
from actorline.jobs.times import iso_time
from actorline.ledger.admission.pause import IS_PAUSED, is_paused
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.history import past_runs
from actorline.orders.submit import check_order, differing
from actorline.settings import Settings


class Room(BaseModel):
    """A limit that the run would count against. `ends_at`: of its day or month; null: it has no end."""

    model_config = ConfigDict(frozen=True)

    budget: str
    period: str
    limit_usd: float
    left_usd: float
    ends_at: str | None


class Estimate(BaseModel):
    """What an order would come to."""

    model_config = ConfigDict(frozen=True)

    document: dict[str, Any] = Field(description="The checked document; a job's with its defaults")
    runs: int | None = Field(
        1,
        description="How many runs would be started; 0 if it only collects, or joins what has its key; "
        "null: of a batch whose inputs_url hasn't been read",
    )
    like_it: History | None = Field(description="What ran before like it; null: nothing that the ledger knows of")
    reserves_usd: float | None = Field(description="What each start would reserve; null: it falls under no budget")
    budgets: list[Room] = []
    refusals: list[Reason] = Field([], description="Why the order would be refused; empty: it would be accepted")
    waits: list[Reason] = Field([], description="What its job would wait for now")


def estimate(raw: Any, *, ledger: Ledger, settings: Settings, trusted: bool, sender: Sender) -> Estimate:
    """Return what an order would come to. Raises Refused for a document that isn't one."""
    document = raw if isinstance(raw, JobDocument) else parse_document(raw)
    refusals: list[Reason] = []
    existing = ledger.load(document.key) if document.key else None
    try:
        check_order(document, document.key or fresh_key(), ledger, settings, trusted=trusted, sender=sender)
    except Refused as refused:
        refusals.append(refused.reason)
    if existing and existing.document_hash != document.body_hash:
        other = f"another order{differing(document, existing, sender)}"
        message = f"The key {document.key} is already used by {other}. Use a new key, or send the same document."
        refusals.append(Reason(code=Code.CONFLICT, message=message, billed=False))
    runs = 0 if existing else 1
    return estimate_runs(document, ledger=ledger, settings=settings, sender=sender, refusals=refusals, runs=runs)


def estimate_runs(
    document: JobDocument,
    *,
    ledger: Ledger,
    settings: Settings,
    sender: Sender,
    refusals: Sequence[Reason] = (),
    runs: int = 1,
    own: OwnBudget | None = None,
) -> Estimate:
    """Return what a number of runs of a checked document would come to, as a batch's. `own`: a budget that they share.

    `refusals`: what was found against the order so far. A sender without the right to read sees neither what ran before
    nor what is left of budgets, and none the budgets of accounts that it doesn't have.
    """
    rights = sender.rights
    may_read = rights.has(Scope.READ)
    reservation = reservation_for(document, settings.budgets, own=own, at=ledger.now())
    return Estimate(
        document=document.model_dump(mode="json"),
        runs=runs if document.starts_run else 0,
        like_it=History.of(past_runs(ledger, document)) if document.starts_run and may_read else None,
        reserves_usd=reservation.nano_usd / NANO if reservation else None,
        budgets=_rooms(ledger, reservation, rights) if reservation and may_read else [],
        refusals=list(refusals),
        waits=_waits(ledger, document, reservation),
    )


def _rooms(ledger: Ledger, reservation: Reservation, rights: Rights) -> list[Room]:
    counts = ledger.budgets.read(reservation.entries)
    return [
        _room(entry, entry.limit_nano_usd, count.taken)
        for entry, count in zip(reservation.entries, counts, strict=True)
        if entry.limit_nano_usd is not None and rights.sees_budget(entry.budget)
    ]


def _room(entry: Entry, limit: int, taken: int) -> Room:
    return Room(
        budget=entry.budget,
        period=entry.period,
        limit_usd=limit / NANO,
        left_usd=max(limit - taken, 0) / NANO,
        ends_at=iso_time(entry.ends_at),
    )


def _waits(ledger: Ledger, document: JobDocument, reservation: Reservation | None) -> list[Reason]:
    """Return what the job would wait for before its run."""
    found = []
    if document.starts_run and is_paused(ledger, document.account):
        found.append(_wait(Code.PAUSED, IS_PAUSED))
    if reservation and (full := ledger.budgets.without_room(reservation)):
        found.append(_wait(Code.BUDGET, waiting_text(reservation, full)))
    return found


def _wait(code: Code, message: str) -> Reason:
    return Reason(code=code, message=message, billed=False)
