"""A further attempt: the next paid run of a job, which inherits only the cost of the last one."""

from typing import Final, cast

from actorline.jobs.cost import assumed_cost
from actorline.jobs.fields import JobFields
from actorline.jobs.job import Job

_OF_A_RUN: Final = (
    "intent", "run_id", "run_status", "run_message", "run_log", "actor_id", "dataset_id", "key_value_store_id",
    "resurrection", "items_total", "items_end", "cost_usd", "started_at", "run_started_at", "run_finished_at",
    "collecting_at", "planned_at", "ahead_at", "ahead_sent_at", "stored_at", "waiting_for", "waiting_since",
    "waiting_until", "missing_since",
    "page_error", "grew_at", "broken", "enough",
)  # fmt: skip
_COUNTERS: Final = (
    "adopted",
    "figures_settled",
    "items",
    "scanned",
    "bytes",
    "pages",
    "records",
    "scanned_before",
    "pages_before",
    "failing_pages",
    "vanished",
    "failures",
    "failed_alike",
    "unclear_starts",
    "input_failures",
    "account_failures",
)


def next_attempt(job: Job) -> JobFields:
    """Return the fields that reset a job for another run; upkeep then starts it."""
    fresh = cast("JobFields", dict.fromkeys(_OF_A_RUN) | dict.fromkeys(_COUNTERS, 0))
    return fresh | {
        "attempt": job.attempt + 1,
        "spent_usd": job.spent_usd + (job.run.cost_usd or 0),
        "is_planned": True,
        **assumed_cost(job),
    }
