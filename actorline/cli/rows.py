"""`items` and `records`: write a delivery to standard output."""

import os
import shutil
import sys

from actorline.cli.attach import attach
from actorline.cli.jobs import find
from actorline.cli.terminal.output import out, print_json, say
from actorline.cli.terminal.visible import visible
from actorline.delivery.read_back import Delivery, UnreadableRows
from actorline.delivery.sink import SinkError
from actorline.errors import Code, Refused
from actorline.jobs.delivered import open_delivered
from actorline.settings import load_settings


def items(key: str, *, as_json: bool) -> None:
    delivery = _delivery(key)
    try:
        rows = (line + b"\n" for line in delivery.lines()) if as_json else delivery.blocks()
        for block in rows:
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UnreadableRows as error:
        raise Refused(Code.REQUEST_INVALID, str(error)) from error
    except SinkError as error:
        raise Refused(Code.SINK_FAILED, str(error)) from error
    if not delivery.manifest.complete and delivery.manifest.reason:
        say(f"This delivery is not complete: {delivery.manifest.reason.message}")


def records(key: str, name: str | None, *, as_json: bool) -> None:
    delivery = _delivery(key)
    try:
        if name is None:
            _list(delivery, as_json=as_json)
            return
        with delivery.open_record(name) as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SinkError as error:
        raise Refused(Code.UNKNOWN_KEY, str(error)) from error


def _list(delivery: Delivery, *, as_json: bool) -> None:
    """Print each record as it is read: a store may have millions. A terminal gets columns, a pipe gets tabs."""
    line = "{:<32}  {:>12}  {}\n" if out.is_terminal else "{}\t{}\t{}\n"
    if out.is_terminal and not as_json and delivery.manifest.totals.records:
        sys.stdout.write(line.format("key", "bytes", "type"))
    for record in delivery.records():
        if as_json:
            print_json(record.model_dump(mode="json"))
        elif out.is_terminal:
            sys.stdout.write(visible(line.format(record.key, f"{record.bytes:,}", record.content_type)))
        else:
            sys.stdout.write(visible(line.format(record.key, record.content_type, record.bytes)))
    if not delivery.manifest.totals.records:
        say(f"{delivery.manifest.job} has delivered no records.")


def _delivery(key: str) -> Delivery:
    with attach(load_settings(), workers=False) as stack:
        job = find(stack.ledger, key)
    if job.manifest is None:
        message = f"{key} is {job.state} and has delivered nothing. See why: actorline show {key}"
        raise Refused(Code.UNKNOWN_KEY, message)
    try:
        return open_delivered(job)
    except SinkError as error:
        raise Refused(Code.SINK_FAILED, str(error)) from error
