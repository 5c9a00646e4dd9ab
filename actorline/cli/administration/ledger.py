"""`ledger`: measure, export, import and purge what is stored of ended jobs."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import typer
from pydantic import ValidationError

from actorline.cli.attach import attach
from actorline.cli.selection import parse_since
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import out, print_json, say
from actorline.cli.terminal.times import short_time
from actorline.errors import Code, Refused
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.archive import Archive, ArchivedBatch, ArchivedJob, ArchiveHeader, unfinished
from actorline.ledger.audit import record
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.statistics import read_statistics
from actorline.settings import Settings, load_settings
from actorline.story.number_words import counted
from actorline.upkeep.purge import SETTLED_SECS, Purge

MB: Final = 1_000_000


def stats(*, as_json: bool) -> None:
    with attach(load_settings(), workers=False) as stack:
        found = read_statistics(stack.ledger)
    if as_json:
        print_json(
            {
                "jobs": found.jobs,
                "batches": found.batches,
                "oldest": found.oldest,
                "job_bytes": found.job_bytes,
                "used_bytes": found.used_bytes,
                "max_bytes": found.max_bytes,
                "file_bytes": found.file_bytes,
            }
        )
        return
    states = ", ".join(f"{number:,} {state}" for state, number in found.jobs.items() if number)
    since = "" if found.oldest is None else f", the oldest ordered {short_time(found.oldest)}"
    out.print(f"{sum(found.jobs.values()):,} jobs ({states or 'none'}) and {found.batches:,} batches{since}")
    if found.job_bytes is not None:
        out.print(f"An ended job takes {found.job_bytes:,} bytes of Redis (the newest, sampled).")
    limit = f" of {found.max_bytes / MB:,.0f}" if found.max_bytes else ""
    out.print(f"Redis uses {found.used_bytes / MB:,.1f}{limit} MB; its file has {found.file_bytes / MB:,.1f} MB.")


def export() -> None:
    settings = load_settings()
    with attach(settings, workers=False) as stack:
        installation = stack.ledger.installation(settings.installation)
        archive = Archive(stack.ledger)
        _write([ArchiveHeader(installation=installation, exported_at=stack.ledger.now())])
        jobs, batches = _write(archive.jobs()), _write(archive.batches())
        left = unfinished(stack.ledger)
    sys.stdout.flush()
    say(f"Exported {counted(jobs, 'job')} and {batches:,} batches; {left:,} unfinished jobs are not in it.")


def import_(file: str, *, as_json: bool) -> None:
    settings = load_settings()
    added = present = refused = 0
    with attach(settings, workers=False, to_order=True, undone="Nothing was imported.") as stack:
        lines = enumerate(_lines(file), start=1)
        _check_header(next(lines, (1, ""))[1], stack.ledger, settings)
        archive = Archive(stack.ledger)
        for number, text in lines:
            try:
                is_new = _add(archive, text)
            except Refused as error:
                refused += 1
                say(f"{file}:{number}: {error}")
                continue
            added, present = added + is_new, present + (not is_new)
        record(stack.ledger, "imported", FROM_TERMINAL, entries=added)
    if as_json:
        print_json({"added": added, "present": present, "refused": refused})
    else:
        say(f"Added {added:,} jobs and batches; {present:,} were there already, {refused:,} can't be read.")
    if refused:
        raise typer.Exit(Exit.FAILED if added else Exit.REFUSED)


def purge(older_than: str, states: Sequence[State] | None, *, dry_run: bool, agreed: bool, as_json: bool) -> None:
    if live := [state for state in states or () if state not in TERMINAL]:
        raise Refused(Code.REQUEST_INVALID, f"{live[0]} is no end: unfinished jobs are cancelled. Nothing was removed.")
    with attach(load_settings(), workers=False, undone="Nothing was removed.") as stack:
        now = stack.ledger.now()
        before = parse_since(older_than, now=now, option="--older-than")
        if before > now - SETTLED_SECS:
            raise Refused(
                Code.REQUEST_INVALID,
                "--older-than must be at least 1h: until then results and costs are still recorded. "
                "Nothing was removed.",
            )
        chosen = Purge(stack.ledger, before, frozenset(states or TERMINAL))
        if dry_run or not agreed:
            keys = {batch.key for batch in chosen.batches()}
            jobs, batches = sum(1 for _ in chosen.jobs(keys)), len(keys)
        else:
            jobs, batches = chosen.carry_out()
            record(stack.ledger, "purged", FROM_TERMINAL, jobs=jobs, batches=batches, older_than=older_than)
    is_done = agreed and not dry_run
    if as_json:
        print_json({"jobs": jobs, "batches": batches, "removed": is_done})
    else:
        done = "Removed" if is_done else "To remove"
        say(f"{done}: {counted(jobs, 'job')} and {batches:,} batches from the ledger; their rows stay.")
    if not (dry_run or agreed):
        raise Refused(Code.REQUEST_INVALID, "Nothing was removed: give --yes if you agree.")


def _write(entries: Iterable[ArchiveHeader | ArchivedJob | ArchivedBatch]) -> int:
    """Write each as a line, and return how many there were."""
    number = 0
    for number, entry in enumerate(entries, start=1):  # noqa: B007 - it is returned
        sys.stdout.buffer.write(entry.model_dump_json().encode() + b"\n")
    return number


def _lines(file: str) -> Iterator[str]:
    """Yield the lines, one at a time. Raises Refused for a file that can't be read."""
    try:
        with open(0 if file == "-" else file, encoding="utf-8-sig", closefd=file != "-") as lines:
            yield from lines
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Refused(Code.REQUEST_INVALID, f"{file} can't be read: {why}.") from error


def _check_header(text: str, ledger: Ledger, settings: Settings) -> None:
    """Take over the installation's name, on which claims of folders and markers of runs depend. Raises Refused."""
    try:
        header = ArchiveHeader.model_validate_json(text)
    except ValidationError as error:
        raise Refused(
            Code.REQUEST_INVALID,
            "That is no export of a ledger, version 1: its first line says so. Nothing was imported.",
        ) from error
    mine = settings.installation or ledger.known_installation() or header.installation
    if mine != header.installation:
        raise Refused(
            Code.REQUEST_INVALID,
            f"This ledger belongs to the installation {mine}, the export to {header.installation}. Nothing was "
            "imported. Import into an empty Redis, before the first workers start.",
        )
    ledger.installation(mine)


def _add(archive: Archive, text: str) -> bool:
    """Add the job or batch of a line. Return False if it is there already. Raises Refused."""
    try:
        if text.startswith('{"batch":'):
            return archive.add_batch(ArchivedBatch.model_validate_json(text))
        return archive.add_job(ArchivedJob.model_validate_json(text))
    except ValidationError as error:
        raise Refused(Code.REQUEST_INVALID, "is no line of an export") from error
