"""A job's reservation in the budgets that it falls under, and what is said where a budget has no room for it."""

from collections.abc import Sequence
from typing import Final

from actorline.budgets.limits import Budgets
from actorline.budgets.reservation import NANO, Entry, OwnBudget, Reservation, reserve, unknown_value
from actorline.errors import Code, Reason, Refused
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.job import Job
from actorline.jobs.times import minute_text

_PARTS_OF_A_DAY: Final = 3  # 2026-11-28


def reservation_of(job: Job, budgets: Budgets, at: float) -> Reservation | None:
    """Return what a start of the job at a time reserves; None if it falls under no budget, or starts no run."""
    return reservation_for(job.document, budgets, own=job.own_budget, attempt=job.attempt, at=at)


def reservation_for(
    document: JobDocument, budgets: Budgets, *, own: OwnBudget | None = None, attempt: int = 1, at: float
) -> Reservation | None:
    """Return the same for a document."""
    if not document.starts_run:
        return None
    return reserve(
        budgets,
        account=document.account,
        labels=document.labels,
        own=own,
        most_usd=document.options.max_total_charge_usd,
        attempt=attempt,
        at=at,
    )


def check_budgets(document: JobDocument, budgets: Budgets, own: OwnBudget | None = None) -> None:
    """Refuse an order that no budget could ever pay for, or whose label has budgets, but none for its value."""
    if document.starts_run and (unknown := unknown_value(budgets, document.labels)):
        name, value = unknown
        raise Refused(
            Code.BUDGET,
            f"The label {name} has budgets, but none for the value {value[:60]!a}: only "
            f"{', '.join(sorted(budgets.label[name]))[:300]}. Nothing was started. Correct the label, or add a budget "
            "for it to the settings.",
        )
    reservation = reservation_for(document, budgets, own=own, at=0)
    if reservation and (reason := hopeless_reason(reservation)):
        raise Refused(reason.code, reason.message)


def hopeless_reason(reservation: Reservation) -> Reason | None:
    """Return why a run can never be started: it may cost more than a whole budget."""
    entry = reservation.hopeless
    if entry is None:
        return None
    message = (
        f"The run may cost {usd_text(reservation.nano_usd)}, but the budget {entry.budget} allows "
        f"{_limit_text(entry)}, so waiting doesn't help. No run was started. Order less with "
        "options.max_total_charge_usd, or raise the budget."
    )
    return Reason(code=Code.BUDGET, message=message, billed=False)


def waiting_text(reservation: Reservation, full: Sequence[Entry]) -> str:
    """Return what a job waits for."""
    which = ", ".join(f"{entry.budget} ({_limit_text(entry)})" for entry in full)
    until = waits_until(full)
    turn = "" if until is None else f", until {minute_text(until)} at the latest"
    return f"No room in {which} for a run that may cost {usd_text(reservation.nano_usd)}: it waits for room{turn}."


def waits_until(full: Sequence[Entry]) -> float | None:
    """Return when all of the full periods have ended; None if one never ends."""
    ends = [entry.ends_at for entry in full]
    return None if None in ends else max(end for end in ends if end is not None)


def usd_text(nano_usd: int) -> str:
    """Return dollars with as many digits as they have, but at least cents: `$0.50`, `$0.000001`."""
    dollars, rest = divmod(nano_usd, NANO)
    return f"${dollars:,}.{f'{rest:09}'.rstrip('0'):<02}"


def _limit_text(entry: Entry) -> str:
    if entry.ends_at is None:
        period = "in total"
    else:
        period = "a day" if entry.period.count("-") + 1 == _PARTS_OF_A_DAY else "a month"
    return f"{usd_text(entry.limit_nano_usd or 0)} {period}"
