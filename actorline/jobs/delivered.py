"""The delivery of a job in the ledger: opened only if it is the one that the ledger recorded."""

from actorline.delivery.read_back import Delivery, NoDelivery, open_delivery
from actorline.jobs.job import Job


def open_delivered(job: Job) -> Delivery:
    """Open the delivery of a job. Raises the same as `open_delivery`, also if the job has none.

    A job that an earlier version ended has no sha256 of it, and may have reused another job's delivery.
    """
    if job.manifest is None:
        raise NoDelivery(f"The job {job.key} is {job.state} and has delivered nothing.")
    has_own = job.manifest_sha256 is None and job.document.reuse_secs is None
    return open_delivery(job.manifest, key=job.key if has_own else None, sha256=job.manifest_sha256)
