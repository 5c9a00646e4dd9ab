"""The folder that a job claims for its rows before anything is paid for them, and gives back if nothing was."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from actorline.delivery.sink import Sink, SinkError, open_sink
from actorline.errors import Code, Reason
from actorline.jobs.job import Job
from actorline.orders.delta import lacks_comparison
from actorline.orders.parquet import lacks_parquet
from actorline.stages.silent_sink import SilentSink, soon
from actorline.stages.start.steps import Refuse, TryLater

NOTHING_STARTED: Final = " Nothing was started."


def check_sink(job: Job, installation: str) -> Refuse | TryLater | None:
    """Return what keeps the job from its start; None if nothing does."""
    if refusal := lacks_parquet(job.document) or lacks_comparison(job.document):
        return Refuse(refusal)
    if job.document.dataset_id:
        return None  # the sink is claimed when the dataset is known to exist
    if "{run_id}" in job.sink_url:
        return _obstacle(job, lambda sink: sink.check(), NOTHING_STARTED)
    return claim_sink(job, installation, NOTHING_STARTED)


def claim_sink(job: Job, installation: str, consequence: str = "") -> Refuse | TryLater | None:
    """Claim the job's folder for it. Return why that can't be done."""
    return _obstacle(job, lambda sink: sink.claim(installation, job.key), consequence)


def release_sink(job: Job, installation: str) -> None:
    """Give the folder back. If the sink doesn't do that soon it stays claimed: the job's end doesn't wait for it."""
    with suppress(SinkError, SilentSink):
        soon(job.sink_url, partial(open_sink(job.sink_url).release, installation, job.key))


def _obstacle(job: Job, call: Callable[[Sink], object], consequence: str) -> Refuse | TryLater | None:
    try:
        soon(job.sink_url, partial(call, open_sink(job.sink_url)))
    except SilentSink as error:
        message = f"{error} No run was started; the job tries again."
        return TryLater(Reason(code=Code.SINK_FAILED, message=message, billed=False))
    except SinkError as error:
        return Refuse(Reason(code=Code.SINK_REFUSED, message=f"{error}{consequence}", billed=False))
    return None
