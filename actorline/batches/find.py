"""A key may be a job's or a batch's: what entrances do with either."""

from actorline.batches.batch import Batch, BatchResult, load_batch
from actorline.batches.cancel import cancel_batch
from actorline.batches.retry import retry_batch
from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.job_result import JobResult
from actorline.jobs.sender import Sender
from actorline.ledger.ledger import Ledger
from actorline.orders.cancel import cancel_job
from actorline.orders.retry import retry_job


def load_any(ledger: Ledger, key: JobKey) -> Job | Batch | None:
    """Return the job or the batch; None: unknown key. Raises UnreadableJob."""
    return ledger.load(key) or load_batch(ledger, key)


def result_of(ledger: Ledger, key: JobKey) -> JobResult | BatchResult | None:
    """Return the result of the job or batch as it is now; None: unknown key."""
    found = load_any(ledger, key)
    if found is None:
        return None
    return JobResult.of(found) if isinstance(found, Job) else BatchResult.of(found)


def cancel_any(ledger: Ledger, key: JobKey, *, sender: Sender, request: str | None = None) -> bool:
    """Cancel the job or the batch: see `cancel_job`."""
    cancel = cancel_batch if ledger.batches.exists(key) else cancel_job
    return cancel(ledger, key, sender=sender, request=request)


def retry_any(ledger: Ledger, key: JobKey, *, sender: Sender, request: str | None = None) -> None:
    """Retry the job or the batch: see `retry_job` and `retry_batch`."""
    retry = retry_batch if ledger.batches.exists(key) else retry_job
    retry(ledger, key, sender=sender, request=request)
