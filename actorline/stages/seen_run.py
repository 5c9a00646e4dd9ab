"""What the ledger keeps of a run as the platform described it last."""

from typing import Final

from actorline.jobs.cost import cost_fields
from actorline.jobs.document.secret import hide_secrets
from actorline.jobs.fields import JobFields
from actorline.jobs.job import Job
from actorline.jobs.times import iso_time_of
from actorline.platform.runs import Run
from actorline.settings import Settings

RESURRECTION_SEEN: Final[JobFields] = {"resurrection": None}
"""Of a run that is running: it has been resurrected, if that was asked for."""
SEEN_RUNNING: Final[JobFields] = {**RESURRECTION_SEEN, "collecting_at": None}


def run_fields(job: Job, run: Run, settings: Settings) -> JobFields:
    """Return what the ledger keeps of a run."""
    return {
        "missing_since": None,
        "run_status": run.status,
        "run_message": hide_secrets(run.status_message or "", settings)[:500],
        "actor_id": run.act_id,
        "dataset_id": run.default_dataset_id,
        "key_value_store_id": run.default_key_value_store_id,
        **cost_fields(job, run.usage_total_usd),
        "run_started_at": iso_time_of(run.started_at),
        "run_finished_at": iso_time_of(run.finished_at),
    }
