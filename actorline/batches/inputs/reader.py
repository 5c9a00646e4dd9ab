"""Who may have inputs read: no API key gets rows, or others' inputs, by a batch that it couldn't read over HTTP."""

from typing import Final
from urllib.parse import urlsplit

from actorline.api_keys import read_keys
from actorline.batches.batch import Batch, load_batch
from actorline.batches.inputs.source import STORES, place_of
from actorline.delivery.sink import CLAIM, open_sink
from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.rights import Rights, Scope
from actorline.ledger.ledger import Ledger

NOT_READABLE: Final = (
    "inputs_url is in the folder of a job or batch that the API key can't read: rows need the scope read and the "
    "job's account, stored inputs are for the key that ordered them. Nothing was started."
)


def check_reader(batch: Batch, ledger: Ledger) -> None:
    """Refuse a source in a delivery, or among the stored inputs of a batch, that the batch's API key may not read.

    Raises Refused and SinkError.
    """
    url, holder = batch.document.inputs_url or "", batch.ordered_by
    if holder is None or holder.startswith("(") or urlsplit(url).scheme not in STORES:
        return  # from the terminal, Celery or a schedule, from the operator, or from the web
    owner = _owner_of(url)
    if owner is None:
        return
    key = read_keys(ledger).keys.get(holder)
    if key is None or not _may_read(owner, holder, key.rights, ledger):
        raise Refused(Code.INPUT_UNREADABLE, NOT_READABLE)


def _owner_of(url: str) -> JobKey | None:
    """Return the key in the claim of the folder where the file is; None if it is in no claimed folder."""
    folder = open_sink(place_of(url)[0])
    claimed = folder.url if folder.exists(CLAIM) else folder.claim_above()
    return None if claimed is None else JobKey(str(open_sink(claimed).owner()))


def _may_read(owner: JobKey, holder: str, rights: Rights, ledger: Ledger) -> bool:
    """Return whether the holder may read what `owner` has stored: a job its rows, a batch its inputs."""
    if (stored := load_batch(ledger, owner)) is not None:
        return stored.ordered_by == holder
    account = ledger.account(owner)
    return rights.has(Scope.READ) and (rights.accounts is None if account is None else rights.sees(account))
