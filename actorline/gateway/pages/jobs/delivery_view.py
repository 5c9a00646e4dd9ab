"""What a job has delivered, as a page shows it: the first rows, the files, the records."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from actorline.delivery.manifest import Manifest, StoredRecord
from actorline.delivery.read_back import Delivery, UnreadableRows
from actorline.delivery.sink import SinkError
from actorline.jobs.delivered import open_delivered
from actorline.jobs.job import Job

ROWS_SHOWN: Final = 25
COLUMNS_SHOWN: Final = 30
CELL_CHARS: Final = 160
PARTS_SHOWN: Final = 200
RECORDS_SHOWN: Final = 100
IMAGE_BYTES: Final = 5_000_000
IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/svg+xml"})


@dataclass(frozen=True)
class DeliveryView:
    """`manifest`: None if nothing was delivered, or it is unreadable (`fault`). `note`: why no rows are shown."""

    manifest: Manifest | None = None
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    records: Sequence[StoredRecord] = field(default=())
    fault: str = ""
    note: str = ""


def view_delivery(job: Job) -> DeliveryView:
    """Read the beginning of the job's delivery."""
    if job.manifest is None:
        return DeliveryView()
    try:
        delivery = open_delivered(job)
        records = list(islice(delivery.records(), RECORDS_SHOWN))
    except SinkError as error:
        return DeliveryView(fault=str(error))
    try:
        found = _first_rows(delivery)
    except UnreadableRows as error:
        return DeliveryView(delivery.manifest, records=records, note=str(error))
    except SinkError as error:
        return DeliveryView(delivery.manifest, records=records, fault=str(error))
    columns = columns_of(found)
    rows = [[cell(row.get(name, "") if isinstance(row, dict) else row) for name in columns] for row in found]
    return DeliveryView(delivery.manifest, columns, rows, records)


def is_image(record: StoredRecord) -> bool:
    """Return whether a browser may show it: as a picture, which runs nothing."""
    return record.content_type.partition(";")[0].strip().lower() in IMAGES and record.bytes <= IMAGE_BYTES


def columns_of(rows: Sequence[Any]) -> list[str]:
    """Return the names of the fields, in the order in which they are met; "row" for rows that aren't objects."""
    names = dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row)
    return list(names)[:COLUMNS_SHOWN] or (["row"] if rows else [])


def cell(value: Any) -> str:
    """Return a value as text of bounded length."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= CELL_CHARS else f"{text[:CELL_CHARS]}…"


def _first_rows(delivery: Delivery) -> list[Any]:
    return list(islice(delivery.items(), ROWS_SHOWN)) if delivery.manifest.totals.items else []
