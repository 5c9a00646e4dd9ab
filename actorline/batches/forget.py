"""Forgetting what a key names for good: a job, or a batch with its members, its inputs and its manifest."""

from collections.abc import Iterator
from typing import Final

from actorline.batches.batch import Batch
from actorline.batches.inputs.input_file import InputFile
from actorline.delivery.folder import superseded_folder
from actorline.delivery.sink import MANIFEST, SUCCESS, open_sink
from actorline.errors import Code, Refused
from actorline.jobs.job import Job
from actorline.jobs.member_key import member_key
from actorline.ledger.ledger import Ledger
from actorline.orders.forget import ForgetResult, check_forgettable, forget_job

BLOCK_JOBS: Final = 500


def check_any_forgettable(ledger: Ledger, found: Job | Batch) -> None:
    """Raise Refused if the job, or the batch or one of its members, can't be forgotten now."""
    if isinstance(found, Batch):
        _check_batch(ledger, found)
    elif found.batch is not None and ledger.batches.exists(found.batch):
        raise Refused(
            Code.REQUEST_INVALID,
            f"The job {found.key} is a member of the batch {found.batch}, whose inputs and manifest name it. "
            f"It is not forgotten. Forget all of the batch: actorline forget {found.batch}",
        )
    else:
        check_forgettable(ledger, found)


def forget_any(ledger: Ledger, found: Job | Batch, installation: str, forget_result: ForgetResult) -> int:
    """Forget the job, or the batch with all its members, and return how many files were removed: see `forget_job`."""
    if isinstance(found, Job):
        return forget_job(ledger, found, installation, forget_result)
    files = sum(forget_job(ledger, member, installation, forget_result) for member in _members(ledger, found))
    for task_id in ledger.callers.task_ids(found.key):
        forget_result(task_id)
    files += _erase_own_files(found, installation)
    ledger.batches.forget(found.key)
    return files


def _erase_own_files(batch: Batch, installation: str) -> int:
    """Remove manifests and inputs, and return how many files: the batch has claimed only the folder of its inputs."""
    sink, inputs = open_sink(batch.sink), InputFile(batch.sink).sink
    if not inputs.belongs_to(installation, batch.key):
        return 0
    aside = [superseded_folder(retries) + MANIFEST for retries in range(1, batch.retries + 1)]
    own = [name for name in (SUCCESS, MANIFEST, *aside) if sink.exists(name)]
    sink.clear_staging()
    for name in own:
        sink.remove(name)
    removed = len(own) + inputs.erase(installation, batch.key)
    sink.remove_empty_folders()
    return removed


def _check_batch(ledger: Ledger, batch: Batch) -> None:
    if not batch.is_terminal:
        raise Refused(
            Code.REQUEST_INVALID,
            f"The batch {batch.key} is {batch.state}. It is not forgotten. Stop it: actorline cancel {batch.key}",
        )
    if callers := len(ledger.callers.of(batch.key)):
        raise Refused(
            Code.REQUEST_INVALID,
            f"{callers} Celery callers of the batch {batch.key} wait for its result. It is not forgotten.",
        )
    for member in _members(ledger, batch):
        check_forgettable(ledger, member)


def _members(ledger: Ledger, batch: Batch) -> Iterator[Job]:
    """Yield the batch's members that the ledger has."""
    for first in range(0, batch.made, BLOCK_JOBS):
        numbers = range(first, min(first + BLOCK_JOBS, batch.made))
        yield from filter(None, ledger.load_many([member_key(batch.key, number) for number in numbers]))
