"""An earlier delivery serves an order that is like it: nothing is started, nothing is billed (`reuse_secs`)."""

from typing import Final, cast

from actorline.delivery.sink import SUCCESS, SinkError, open_sink
from actorline.jobs.fields import JobFields
from actorline.jobs.job import Job
from actorline.jobs.states import Event, State
from actorline.jobs.step import Step
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.settings import Settings
from actorline.stages.ending import end_job

_OF_THE_DELIVERY: Final = (
    "sink", "manifest", "manifest_sha256", "run_id", "run_status", "actor_id", "dataset_id", "key_value_store_id",
    "run_started_at", "run_finished_at", "items_total", "items", "scanned", "bytes", "pages", "records", "delivered_at",
)  # fmt: skip

log = Logger(__name__)


def remember_delivery(ledger: Ledger, settings: Settings, job: Job) -> None:
    """Let the job, which is about to be DELIVERED, serve later orders that are like it."""
    if job.likeness:
        ledger.remember_delivery(job.likeness, job.key, settings.retention_days * 86_400)


def find_delivery(ledger: Ledger, job: Job) -> Job | None:
    """Return the latest delivery of a job like this one, if it is young enough and still exists where it was stored."""
    if job.document.reuse_secs is None or job.likeness is None:
        return None
    key = ledger.last_delivery(job.likeness)
    earlier = ledger.load(key) if key else None
    if earlier is None or earlier.state is not State.DELIVERED:
        return None
    is_young = (earlier.delivered_at or 0) >= ledger.now() - job.document.reuse_secs
    return earlier if is_young and _lies_there(earlier) else None


def reuse(ledger: Ledger, job: Job, earlier: Job) -> Step:
    """End the job with what was delivered before: rows, run and age are the earlier job's, and it costs nothing."""
    facts = cast("JobFields", earlier.model_dump(include=set(_OF_THE_DELIVERY)))
    facts |= {"sink": earlier.sink_url, "cost_usd": 0, "figures_settled": True}
    return end_job(ledger, job, Event.REUSE, None, fields=facts, data={"reused": earlier.key})


def _lies_there(earlier: Job) -> bool:
    try:
        return open_sink(earlier.sink_url).exists(SUCCESS)
    except SinkError as error:
        log.warning("delivery_not_reused", job_key=earlier.key, error=str(error))
        return False
