"""`orphans`: our running runs that no job wants."""

from collections.abc import Iterator
from typing import Any

import typer

from actorline.cli.attach import AttachedStack, attach
from actorline.cli.ordering.run import send
from actorline.cli.terminal.output import out, print_json, say
from actorline.cli.terminal.times import short_time
from actorline.errors import Code, Unavailable
from actorline.jobs.times import iso_time_of
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformError
from actorline.settings import Settings, load_settings
from actorline.story.number_words import counted
from actorline.upkeep.orphans import Orphan, abort_orphan, find_orphans
from actorline.upkeep.orphans import adopt as make_job_of


def orphans(*, abort: bool, adopt: bool, as_json: bool) -> None:
    if abort and adopt:
        raise typer.BadParameter("give --abort or --adopt, not both")
    settings = load_settings()
    with attach(settings, workers=False, undone="No run was aborted or adopted: orphans may be billing.") as stack:
        found = unstopped = 0
        for orphan, platform in _find(settings, stack):
            found += 1
            if orphan.key is not None or abort:
                try:
                    done = "aborted" if abort_orphan(stack.ledger, platform, orphan) else "had ended by itself"
                except PlatformError as error:
                    unstopped += 1
                    done = f"not aborted: {error}"
            else:
                done = _adopt(settings, stack, orphan) if adopt else "left alone"
            _report(orphan, done, as_json=as_json)
    if not found:
        say("No orphans: each of our running runs belongs to a job.")
    elif adopt:
        say("They are collected while `actorline up` or workers run. See them: actorline jobs")
    elif not abort:
        say("Those left alone are still billing: `actorline orphans --abort` or `--adopt`.")
    if unstopped:
        them = counted(unstopped, "run")
        message = f"{them} could not be aborted, and may be billing. Try again: `actorline orphans --abort`."
        raise Unavailable(Code.PLATFORM_UNAVAILABLE, message, billed=True)


def _find(settings: Settings, stack: AttachedStack) -> Iterator[tuple[Orphan, Platform]]:
    installation = stack.ledger.installation(settings.installation)
    for account, token in settings.tokens.items():
        platform = Platform(settings.api_url, token)
        try:
            for orphan in find_orphans(stack.ledger, platform, installation, account):
                yield orphan, platform
        except PlatformError as error:
            raise Unavailable(
                Code.PLATFORM_UNAVAILABLE,
                f"The runs of the account {account} can't be read: {error}. Some may be billing.",
            ) from error


def _adopt(settings: Settings, stack: AttachedStack, orphan: Orphan) -> str:
    submitted = make_job_of(stack.ledger, settings, orphan)
    send(settings, submitted)
    return f"adopted as the job {submitted.key}"


def _report(orphan: Orphan, done: str, *, as_json: bool) -> None:
    run = orphan.run
    facts: dict[str, Any] = {
        "run_id": run.id,
        "run_status": run.status,
        "actor_id": run.act_id,
        "account": orphan.account,
        "started_at": iso_time_of(run.started_at),
        "cost_usd": run.usage_total_usd,
        "job": orphan.key,
        "done": done,
    }
    if as_json:
        print_json(facts)
        return
    whose = f"of the job {orphan.key}, which doesn't want it" if orphan.key else "ours, of a job that is unknown here"
    since = f"since {short_time(run.started_at.timestamp())}" if run.started_at else "since an unknown time"
    out.print(f"{run.id}  {run.status}  {since}: {whose}; {done}")
