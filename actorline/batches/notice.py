"""Notices that a batch has ended: the event, and when it is sent (again); see `notify/notice.py`."""

import hashlib
from typing import Any

from actorline.batches.batch import Batch, BatchResult
from actorline.jobs.times import iso_time
from actorline.notify.notice import NOTICE_GIVE_UP_SECS


def event_of_batch(batch: Batch) -> dict[str, Any]:
    """Return `{"id", "type": "batch.delivered", "timestamp", "data": result}`, as in Standard Webhooks."""
    text = f"{batch.key}\n{batch.retries}\n{batch.state}"
    return {
        "id": f"evt_{hashlib.sha256(text.encode()).hexdigest()[:32]}",
        "type": f"batch.{batch.state.lower()}",
        "timestamp": iso_time(batch.ended_at),
        "data": BatchResult.of(batch).model_dump(mode="json"),
    }


def secs_until_batch_notice(batch: Batch, now: float) -> float | None:
    """Return seconds until a notice of the end is due; None: no notice, or no longer."""
    wanted = batch.document.notify
    if wanted.task and not batch.task_told:
        return 0.0
    if wanted.url and not batch.url_told and now < (batch.ended_at or now) + NOTICE_GIVE_UP_SECS:
        return max((batch.notice_at or now) - now, 0.0)
    return None
