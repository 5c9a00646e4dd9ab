"""`forget`: remove ended jobs and batches for good, with everything that is stored for them here."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Final

from actorline.batches.batch import Batch
from actorline.batches.forget import check_any_forgettable, forget_any
from actorline.cli.attach import attach
from actorline.cli.jobs import find_all
from actorline.cli.terminal.output import print_json, say
from actorline.errors import Code, Refused
from actorline.jobs.job import Job
from actorline.jobs.sender import FROM_TERMINAL
from actorline.ledger.audit import record
from actorline.messages import make_sender
from actorline.orders.forget import ForgetResult
from actorline.settings import Settings, load_settings
from actorline.story.number_words import counted

KEPT: Final = "Nothing was removed."


def forget(keys: Sequence[str], *, dry_run: bool, agreed: bool, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False, undone=KEPT) as stack, _results(settings) as forget_result:
        found = find_all(stack.ledger, list(dict.fromkeys(keys)))
        for each in found:
            check_any_forgettable(stack.ledger, each)
        if dry_run or not agreed:
            for each in found:
                _say_plan(each, as_json=as_json)
        if dry_run:
            return
        if not agreed:
            raise Refused(Code.REQUEST_INVALID, f"{KEPT} This can't be undone: add --yes to confirm.")
        installation = stack.ledger.installation(settings.installation)
        for each in found:
            files = forget_any(stack.ledger, each, installation, forget_result)
            record(stack.ledger, "forgotten", FROM_TERMINAL, key=each.key)
            _report(each, files, as_json=as_json)


@contextlib.contextmanager
def _results(settings: Settings) -> Iterator[ForgetResult]:
    """Yield what removes a task's result from Celery's result back end."""
    with make_sender(settings) as app:
        yield app.backend.forget


def _say_plan(each: Job | Batch, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": each.key, "state": each.state, "sink": each.sink, "forgotten": False})
    else:
        say(f"{each.key} ({each.state}): its entry, timeline and results, and all files in {each.sink}")


def _report(each: Job | Batch, files: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"key": each.key, "forgotten": True, "files": files})
        return
    say(f"{each.key} is forgotten: {counted(files, 'file')} removed. An order under this key starts a new run.")
    if isinstance(each, Job) and each.run.id:
        say(f"The platform still has the run {each.run.id} with its input and dataset: delete them there.")
