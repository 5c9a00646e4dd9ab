"""How a batch ends whose members have ended. Pure."""

from typing import Final

from actorline.batches.batch import Batch
from actorline.batches.states import BatchEvent
from actorline.errors import Code, Reason
from actorline.jobs.job import Job, StopWish
from actorline.jobs.states import State
from actorline.json_size import fitting

WHY_BYTES: Final = 600  # a result has 4 kB
_STOPS: Final = {
    StopWish.CANCEL: (BatchEvent.CANCEL, Code.CANCELLED, "The batch was cancelled"),
    StopWish.EXPIRE: (BatchEvent.EXPIRE, Code.DEADLINE, "The deadline of the batch has passed"),
}


def judge_end(batch: Batch, *, billed: bool, failed: Job | None = None) -> tuple[BatchEvent, Reason | None]:
    """Return how a batch ends, and why it isn't simply delivered. `billed`: a run of it was started; `failed`: its
    first member that failed, or else that is partial.
    """
    if batch.inputs is not None and batch.delivered == batch.inputs:
        return BatchEvent.DELIVER, None
    if batch.reason:  # it was stopped because it can't go on
        return _without(batch), batch.reason.model_copy(update={"billed": billed})
    if batch.stop_wish:
        event, code, text = _STOPS[batch.stop_wish]
        return event, Reason(code=code, message=f"{text}. {_count(batch, failed)}", billed=billed)
    code = Code.TOO_MANY_FAILURES if batch.has_failed_too_often else Code.MEMBERS_FAILED
    return _without(batch), Reason(code=code, message=_count(batch, failed), billed=billed)


def _without(batch: Batch) -> BatchEvent:
    return BatchEvent.DELIVER_PARTIAL if batch.delivered or batch.partial else BatchEvent.FAIL


def _count(batch: Batch, failed: Job | None) -> str:
    """Return `3 of 10 inputs were delivered; 2 are FAILED; 5 were not started.`, and why the first one of them did."""
    total = batch.inputs or 0
    others = [
        f"{count:,} {'is' if count == 1 else 'are'} {state}"
        for state, count in batch.ended.items()
        if count and state is not State.DELIVERED
    ]
    left = total - batch.made
    parts = [
        f"{batch.delivered:,} of {total:,} inputs were delivered",
        *others,
        *([f"{left:,} were not started"] if left else []),
    ]
    how = "is partial" if failed and failed.state is State.PARTIAL else "failed"
    why = f" {failed.key} {how}: {fitting(failed.reason.message, WHY_BYTES)}" if failed and failed.reason else ""
    return f"{'; '.join(parts)}.{why} `retry` runs what isn't delivered."
