"""The event of a batch's end; `notify/notice.py` says when it is sent."""

import hashlib
from typing import Any

from actorline.batches.batch import Batch, BatchResult
from actorline.jobs.times import iso_time


def event_of_batch(batch: Batch) -> dict[str, Any]:
    """Return `{"id", "type": "batch.delivered", "timestamp", "data": result}`, as in Standard Webhooks."""
    text = f"{batch.key}\n{batch.retries}\n{batch.state}"
    return {
        "id": f"evt_{hashlib.sha256(text.encode()).hexdigest()[:32]}",
        "type": f"batch.{batch.state.lower()}",
        "timestamp": iso_time(batch.ended_at),
        "data": BatchResult.of(batch).model_dump(mode="json"),
    }
