"""An earlier delivery serves an order that is like it: nothing is started, nothing is billed (`reuse_secs`)."""

from functools import partial

from actorline.delivery.sink import SUCCESS, SinkError, open_sink
from actorline.jobs.fields import JobFields
from actorline.jobs.job import Job
from actorline.jobs.states import Event, State
from actorline.jobs.step import LastStep
from actorline.ledger.ledger import Ledger
from actorline.logs import Logger
from actorline.settings import Settings
from actorline.stages.ending import end_job
from actorline.stages.silent_sink import soon

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
    return earlier if is_young and _still_exists(earlier) else None


def reuse(ledger: Ledger, job: Job, earlier: Job) -> LastStep:
    """End the job with what was delivered before: rows, run and age are the earlier job's, and it costs nothing."""
    run, rows = earlier.run, earlier.collection
    facts: JobFields = {
        "sink": earlier.sink_url,
        "manifest": earlier.manifest,
        "manifest_sha256": earlier.manifest_sha256,
        "delivered_at": earlier.delivered_at,
        "run_id": run.id,
        "run_status": run.status,
        "actor_id": run.actor_id,
        "dataset_id": run.dataset_id,
        "key_value_store_id": run.key_value_store_id,
        "run_started_at": run.started_at,
        "run_finished_at": run.finished_at,
        "items_total": rows.items_total,
        "items": rows.items,
        "scanned": rows.scanned,
        "bytes": rows.byte_count,
        "pages": rows.pages,
        "records": rows.records,
        "cost_usd": 0,
        "figures_settled": True,
    }
    data = {"reused": earlier.key, "saved_usd": earlier.total_cost_usd or 0}
    return end_job(ledger, job, Event.REUSE, None, fields=facts, data=data)


def _still_exists(earlier: Job) -> bool:
    try:
        return soon(earlier.sink_url, partial(open_sink(earlier.sink_url).exists, SUCCESS))
    except SinkError as error:
        log.warning("delivery_not_reused", job_key=earlier.key, error=str(error))
        return False
