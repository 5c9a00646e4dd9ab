"""Parquet needs a library that not every installation has: it is refused before anything is in the ledger."""

from typing import Final

from actorline.delivery.formats.parquet_assembly import has_parquet
from actorline.errors import Code, Reason, Refused
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.sender import Sender
from actorline.orders.workers_packages import has_workers_packages
from actorline.settings import Settings

NO_PARQUET: Final = (
    "Parquet needs pyarrow, which isn't installed where the workers run: it takes 170 MB, so neither the plain "
    "installation nor the image has it. Nothing was started. Install actorline[parquet] there (docs/formats.md says "
    "how for the image), or order another collect.format."
)


def lacks_parquet(document: JobDocument) -> Reason | None:
    """Return why this process can't write what was ordered; None if it can."""
    collect = document.collect
    if not collect.dataset or collect.format != "parquet" or has_parquet():
        return None
    return Reason(code=Code.FORMAT_REFUSED, message=NO_PARQUET, billed=False)


def check_parquet(document: JobDocument, settings: Settings, sender: Sender) -> None:
    """Refuse Parquet where it is known that the workers can't write it."""
    if has_workers_packages(settings, sender) and (reason := lacks_parquet(document)):
        raise Refused(reason.code, reason.message)
