"""`/fleet`: workers, queues, accounts, Redis, and whatever `doctor` would warn of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from actorline.checks.installation import check_ledger
from actorline.errors import Code, Refused
from actorline.gateway.pages.jobs.job_filter import JobFilter
from actorline.gateway.pages.presentation.columns import Column, columns
from actorline.gateway.pages.rendering import PageRoute, page
from actorline.gateway.pages.visit import Visit, Visitor
from actorline.identifiers import AccountName, JobKey, RunId
from actorline.jobs.rights import Scope
from actorline.jobs.states import LIVE, State
from actorline.ledger.accounts import list_owners
from actorline.ledger.admission.capacity_line import line_lengths
from actorline.ledger.admission.pause import is_paused
from actorline.ledger.admission.rate_limit import rates
from actorline.ledger.queries.counts import count_jobs
from actorline.ledger.queries.queue_ages import Sample, read_ages
from actorline.ledger.queries.tally import empty_at, read_tally
from actorline.upkeep.unattended import UNSEEN_SECS

router = APIRouter(route_class=PageRoute, include_in_schema=False)

KINDS: Final = ("control", "fetch")
QUEUES: Final = {"control": "control: starts, polls, upkeep", "fetch": "fetch: pages of rows", "doors": "orders"}


SLOT_SECS: Final = 300
SLOTS: Final = 72  # six hours


@dataclass(frozen=True)
class AgeChart:
    """For how long a queue wasn't empty, `columns` over the last hours; `most`: seconds."""

    kind: str
    columns: Sequence[Column]
    most: float


@dataclass(frozen=True)
class Account:
    """An account of the platform: `running`, `live`: its jobs; `in_line`: those that wait for room."""

    name: str
    user: str
    running: int
    live: int
    in_line: int
    is_paused: bool


@router.get("/fleet")
def fleet(visitor: Visitor) -> Response:
    """Show what moves the jobs. It concerns all accounts, so it needs the scope `metrics`, as `/metrics` does."""
    if not visitor.has(Scope.METRICS):
        raise Refused(Code.FORBIDDEN, "The API key lacks the scope metrics, which the page of the fleet needs.")
    ledger, settings = visitor.context.ledger, visitor.context.settings
    tally, now = read_tally(ledger), ledger.now()
    findings = list(check_ledger(settings, ledger, accounts=visitor.grant.rights.accounts))
    return page(
        "fleet.html",
        visitor,
        findings=sorted(findings, key=lambda finding: finding.is_good),
        tally=tally,
        queues=[
            (text, tally.queues.get(kind, 0), now - empty_at(ledger).get(kind, now)) for kind, text in QUEUES.items()
        ],
        ages=age_charts(read_ages(ledger), now),
        workers=[(kind, tally.unseen_s.get(kind)) for kind in KINDS],
        unseen_secs=UNSEEN_SECS,
        accounts=_accounts(visitor),
        strays=_strays(visitor),
        rates=rates(ledger),
        server=ledger.server(),
        all_jobs=JobFilter(),
    )


def age_charts(samples: Sequence[Sample], now: float) -> list[AgeChart]:
    """Return a chart for each queue; a slot in which no upkeep ran has no column."""
    last = int(now // SLOT_SECS)
    charts = []
    for kind in QUEUES:
        slots: dict[int, float] = {}
        for sample in samples:
            if kind in sample.ages:
                slot = int(sample.at // SLOT_SECS)
                slots[slot] = max(slots.get(slot, 0), sample.ages[kind])
        shown = range(last - SLOTS + 1, last + 1)
        found = columns([(_ago((last - slot) * SLOT_SECS), slots.get(slot, 0)) for slot in shown], SLOTS)
        kept = [column for slot, column in zip(shown, found, strict=True) if slot in slots]
        charts.append(AgeChart(kind, kept, max(slots.values(), default=0)))
    return charts


def _ago(seconds: int) -> str:
    return f"{seconds // 60} min ago" if seconds else "now"


def _strays(visitor: Visit) -> dict[RunId, JobKey]:
    """Return run id -> key of the runs that no job wants, of the accounts that the visitor sees."""
    ledger, grant = visitor.context.ledger, visitor.grant
    strays = ledger.runs.strays()
    if grant.rights.accounts is None:
        return strays
    accounts = {key: ledger.account(key) for key in strays.values()}
    return {run_id: key for run_id, key in strays.items() if (account := accounts[key]) and grant.sees(account)}


def _accounts(visitor: Visit) -> list[Account]:
    ledger = visitor.context.ledger
    owners = list_owners(ledger)
    names = sorted(
        {*(alias.lower() for alias in visitor.context.settings.tokens), *(alias.lower() for alias in owners)}
    )
    seen = [AccountName(name) for name in names if visitor.grant.sees(AccountName(name))]
    lines = line_lengths(ledger, seen)
    found = []
    for name in seen:
        counts = count_jobs(ledger, [name])
        user = next((owner.username for alias, owner in owners.items() if alias.lower() == name), "")
        live = sum(counts[state] for state in LIVE)
        found.append(Account(name, user or "", counts[State.RUNNING], live, lines[name], is_paused(ledger, name)))
    return found
