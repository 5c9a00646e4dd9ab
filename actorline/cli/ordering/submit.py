"""`submit`: orders many jobs from files of job documents."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from actorline.cli.attach import attach, check_running
from actorline.cli.ordering.order import parse_object
from actorline.cli.ordering.run import send, with_default_sink
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import print_json, say
from actorline.errors import Code, Refused
from actorline.identifiers import AccountName
from actorline.jobs.sender import FROM_TERMINAL
from actorline.ledger.admission.pause import is_paused
from actorline.orders.submit import submit as order
from actorline.settings import load_settings


def submit(files: list[str], *, as_json: bool) -> None:
    settings = load_settings()
    refused = ordered = 0
    waits = False
    lines = list(document_lines(files))
    check_running(
        settings, "No stack is running that would run the jobs. Nothing was ordered. Start one with `actorline up`."
    )
    with attach(settings, workers=False, to_order=True) as stack:
        for place, text in lines:
            try:
                document = with_default_sink(_parse(text), settings)
                submitted = order(document, ledger=stack.ledger, settings=settings, trusted=True, sender=FROM_TERMINAL)
            except Refused as error:
                refused += 1
                if as_json:
                    print_json({"line": place, "reason": error.reason.model_dump(mode="json")})
                else:
                    say(f"{place}: {error}")
                continue
            ordered += 1
            waits = waits or is_paused(stack.ledger, AccountName(str(document.get("account", "default"))))
            send(settings, submitted)
            if as_json:
                print_json(
                    {"line": place, "key": submitted.key, "created": submitted.created, "state": submitted.state}
                )
            else:
                sys.stdout.write(submitted.key + "\n")
    if waits:
        say("Paid runs are paused: jobs that start a run wait until `actorline resume`.")
    if refused:
        raise typer.Exit(Exit.FAILED if ordered else Exit.REFUSED)


def document_lines(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (`file:line`, text) for each line that isn't empty. Raises Refused for a file that can't be read."""
    for name in files:
        try:
            raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
            text = raw.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else f"it is not UTF-8: {error.reason}"
            raise Refused(Code.DOCUMENT_INVALID, f"{name} can't be read: {why}. Nothing was ordered.") from error
        for number, line in enumerate(text.split("\n"), 1):  # any other line break may be part of a JSON string
            if line.strip():
                yield f"{name}:{number}", line


def _parse(text: str) -> dict[str, Any]:
    try:
        return parse_object(text)
    except ValueError as error:
        raise Refused(Code.DOCUMENT_INVALID, f"{error}. Nothing was started.") from None
