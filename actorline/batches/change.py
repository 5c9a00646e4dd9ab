"""Moves of a batch along its state table."""

from collections.abc import Mapping
from typing import Any

from actorline.batches.batch import Batch
from actorline.batches.states import BatchEvent, sources, target
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.batches import BatchChange
from actorline.ledger.ledger import Ledger


def move_batch(
    ledger: Ledger,
    batch: Batch,
    event: BatchEvent,
    *,
    fields: Mapping[str, Any],
    due_in_s: float | str = "",
    timeline: TimelineEvent | None = None,
    data: Mapping[str, Any] | None = None,
    guards: Mapping[str, Any] | None = None,
) -> bool:
    """Move the batch; False: another execution did meanwhile. `guards`: see `BatchChange`."""
    change = BatchChange(
        to=target(event), due_in_s=due_in_s, fields=fields, event=timeline, data=data or {}, guards=guards or {}
    )
    return ledger.batches.change(batch.key, change, states=sources(event))
