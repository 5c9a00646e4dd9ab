"""What runs have cost, and what counts in budgets for one whose cost the platform never told."""

from collections.abc import Iterable

from actorline.identifiers import RunId
from actorline.jobs.fields import JobFields
from actorline.jobs.job import Job


def cost_usd(jobs: Iterable[Job]) -> float:
    """Return what the jobs' runs have cost so far. A run counts once, however many jobs collected it."""
    costs: dict[str, float] = {}
    for job in jobs:
        run = job.run.id or job.key
        costs[run] = max(costs.get(run, 0), job.total_cost_usd or 0)
    return sum(costs.values())


def known_cost(job: Job, usd: float | None) -> float | None:
    """Return what the job's run costs by a response that may not tell it."""
    return job.run.cost_usd if usd is None else usd


def cost_fields(job: Job, usd: float | None) -> JobFields:
    """Return what is written of the cost of the job's run. None, which the platform may say at any time, takes nothing
    away that is known; a number takes the place of what was assumed.
    """
    return {} if usd is None else JobFields(cost_usd=usd) | without_assumed_cost(job, job.run.id)


def assumed_cost(job: Job) -> JobFields:
    """Return the change by which the job's run, whose cost is no longer awaited, counts with what it has reserved, if
    its cost was never told: a token that may not see costs would have no budget otherwise.
    """
    run, reservation = job.run, job.reservation
    if run.id is None or run.cost_usd is not None or reservation is None or reservation.attempt != job.attempt:
        return {}
    return {"assumed_costs": {**(job.assumed_costs or {}), run.id: reservation}}


def settled_fields(job: Job, usd: float | None = None) -> JobFields:
    """Return what is written when the figures of the job's run are final, or no longer awaited; `usd` None: the
    platform doesn't tell the cost. From then on the job reserves nothing.
    """
    return JobFields(figures_settled=True) | (cost_fields(job, usd) or assumed_cost(job))


def without_assumed_cost(job: Job, run_id: RunId | None) -> JobFields:
    """Return the change by which a run of the job, whose cost is known, doesn't count with an assumed one as well."""
    assumed = job.assumed_costs or {}
    if run_id not in assumed:
        return {}
    return {"assumed_costs": {other: reservation for other, reservation in assumed.items() if other != run_id} or None}
