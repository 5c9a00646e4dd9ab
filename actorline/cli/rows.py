"""`items`, `changes` and `records`: write a delivery to standard output."""

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from actorline.batches.batch import Batch, BatchResult
from actorline.batches.delivery import BatchDelivery, open_batch
from actorline.cli.attach import attach
from actorline.cli.jobs import find_any
from actorline.cli.terminal.output import changes_text, out, print_json, say
from actorline.cli.terminal.quiet_log import quiet_logs
from actorline.cli.terminal.streams import drop_output
from actorline.delivery.manifest import ChangeKind, StoredRecord
from actorline.delivery.read_back import DamagedDelivery, Delivery, NoDelivery, NotCompared, UnreadableRows
from actorline.delivery.sink import SinkError
from actorline.errors import Code, Refused
from actorline.jobs.delivered import open_delivered
from actorline.jobs.document.delta import JobChanges
from actorline.jobs.job import Job
from actorline.jobs.job_result import JobResult
from actorline.settings import load_settings
from actorline.visible import visible


def items(key: str, *, as_json: bool) -> None:
    with _rows(key) as delivery:
        _write(lambda: (line + b"\n" for line in delivery.lines()) if as_json else delivery.blocks())
    if not delivery.is_complete and delivery.reason:
        say(f"This delivery is not complete: {delivery.reason.message}")


def changes(key: str, kind: ChangeKind | None, *, as_json: bool) -> None:
    with _rows(key) as delivery:
        if isinstance(delivery, BatchDelivery):
            raise Refused(
                Code.REQUEST_INVALID, f"Members of a batch are compared one by one: actorline changes {key}.000000"
            )
        if kind is not None:
            _write(partial(delivery.change_blocks, kind))
            return
    if delivery.manifest.changes is None:
        raise Refused(Code.REQUEST_INVALID, f"{key} was ordered without delta, so nothing was compared.")
    found = JobChanges.of(delivery.manifest.changes)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        sys.stdout.write(f"{changes_text(found)}\n")


def _write(open_blocks: Callable[[], Iterator[bytes]]) -> None:
    try:
        for block in open_blocks():
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        drop_output()
    except (UnreadableRows, NotCompared) as error:
        raise Refused(Code.REQUEST_INVALID, str(error)) from error


def records(key: str, name: str | None, *, as_json: bool) -> None:
    found = _find(key)
    with _faults_told(found, _records_again(found)):
        delivery = _open(found)
        try:
            if name is None:
                _list(key, delivery, as_json=as_json)
                return
            with delivery.open_record(name) as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            drop_output()
        except NoDelivery as error:
            raise Refused(Code.UNKNOWN_KEY, f"{error} With sizes and types: actorline records {key}") from error


def _list(key: str, delivery: Delivery | BatchDelivery, *, as_json: bool) -> None:
    """Print each record as it is read: a store may have millions. A terminal gets columns, a pipe gets tabs."""
    line = "{:<32}  {:>12}  {}\n" if out.is_terminal else "{}\t{}\t{}\n"
    count = 0
    for count, (name, record) in enumerate(_records(delivery), 1):
        if count == 1 and out.is_terminal and not as_json:
            sys.stdout.write(line.format("key", "bytes", "type"))
        if as_json:
            print_json({**record.model_dump(mode="json"), "key": name})
        elif out.is_terminal:
            sys.stdout.write(visible(line.format(name, f"{record.bytes:,}", record.content_type)))
        else:
            sys.stdout.write(visible(line.format(name, record.content_type, record.bytes)))
    if not count:
        say(f"{key} has delivered no records.")


def _records(delivery: Delivery | BatchDelivery) -> Iterator[tuple[str, StoredRecord]]:
    if isinstance(delivery, BatchDelivery):
        return delivery.records()
    return ((record.key, record) for record in delivery.records())


def nothing_delivered(found: Job | Batch) -> Refused:
    """Return the refusal to read rows that aren't there, or aren't there yet."""
    if found.is_terminal:
        text = f"{found.key} is {found.state} and has delivered nothing. See why: actorline show {found.key}"
    else:
        text = (
            f"{found.key} is {found.state} and has delivered nothing yet. Wait for its end: actorline watch {found.key}"
        )
    return Refused(Code.UNKNOWN_KEY, text)


def rows_again(dataset_id: str | None) -> str:
    """Return how damaged rows are fetched again; "" if the delivery isn't of a dataset."""
    again = "While the platform still has them, the rows can be fetched again without another run"
    return f"{again}: actorline run --dataset-id {dataset_id}" if dataset_id else ""


def _records_again(found: Job | Batch) -> str:
    again = "While the platform still has them, rows and records can be fetched again without another run"
    return f"{again}: actorline run --run-id {found.run.id}" if isinstance(found, Job) and found.run.id else ""


@contextmanager
def _rows(key: str) -> Iterator[Delivery | BatchDelivery]:
    """Open a delivery. Raises Refused that says how rows that are damaged are fetched again."""
    found = _find(key)
    again = rows_again(JobResult.of(found).dataset_id) if isinstance(found, Job) else ""
    with _faults_told(found, again):
        yield _open(found)


def _find(key: str) -> Job | Batch:
    """Return the job or batch. Raises Refused if it has delivered nothing."""
    with attach(load_settings(), workers=False) as stack:
        found = find_any(stack.ledger, key)
    if found.manifest is None:
        raise nothing_delivered(found)
    return found


def _open(found: Job | Batch) -> Delivery | BatchDelivery:
    quiet_logs(logging.ERROR)  # the refusal says what is damaged
    return open_delivered(found) if isinstance(found, Job) else open_batch(BatchResult.of(found))


@contextmanager
def _faults_told(found: Job | Batch, again: str) -> Iterator[None]:
    """Say of a delivery that can't be read how it is fetched `again`, or what finds all that is wrong with it."""
    try:
        yield
    except DamagedDelivery as error:
        way_on = again or f"All that is damaged: actorline verify {found.key}"
        raise Refused(Code.SINK_FAILED, f"{error} {way_on}") from error
    except SinkError as error:
        raise Refused(Code.SINK_FAILED, str(error)) from error
