"""What several jobs have cost together."""

from collections.abc import Iterable

from actorline.jobs.job import Job


def cost_usd(jobs: Iterable[Job]) -> float:
    """Return what the jobs' runs have cost so far. A run counts once, however many jobs collected it."""
    costs: dict[str, float] = {}
    for job in jobs:
        run = job.run.id or job.key
        costs[run] = max(costs.get(run, 0), job.total_cost_usd or 0)
    return sum(costs.values())
