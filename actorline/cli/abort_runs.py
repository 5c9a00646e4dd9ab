"""Runs are aborted from here, many at a time: workers would come to each only after the messages before it.

They abort it again, and until the platform confirms its end, as after any cancel.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

from actorline.cli.terminal.output import say
from actorline.identifiers import AccountName, RunId
from actorline.jobs.job import Job
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformError
from actorline.platform.runs import Run, abort_run
from actorline.settings import Settings
from actorline.stages.watch.poll_run import POLL_STATES
from actorline.story.number_words import counted

AT_ONCE: Final = 16
PATIENCE_SECS: Final = 5.0  # workers continue with what takes longer


def abort_runs(settings: Settings, jobs: Sequence[Job]) -> None:
    """Abort the runs of jobs that were cancelled, and say how many, and why others weren't. Workers abort those
    without a token here.
    """
    billing: dict[AccountName, list[RunId]] = {}
    for job in jobs:
        if job.state in POLL_STATES and job.run.id and job.document.may_abort:
            billing.setdefault(job.document.account, []).append(job.run.id)
    found = [outcome for account, run_ids in billing.items() for outcome in _abort(settings, account, run_ids)]
    failed = [outcome for outcome in found if isinstance(outcome, PlatformError)]
    runs = [outcome for outcome in found if isinstance(outcome, Run)]
    ended = sum(run.ended_by_itself for run in runs)
    if ended:
        say(f"{counted(ended, 'run')} had already ended at the platform: nothing was stopped there.")
    if aborted := len(runs) - ended:
        say(f"{counted(aborted, 'run')} aborted at the platform. The jobs end as soon as workers have confirmed it.")
    if failed:
        them = counted(len(failed), "run")
        say(f"{them} could not be aborted from here, and may be billing: {failed[0]}. Workers try again.")


def _abort(settings: Settings, account: AccountName, run_ids: Sequence[RunId]) -> Sequence[Run | PlatformError]:
    """Return each run as it is now, or why it could not be aborted."""
    token = settings.token_of(account)
    if token is None:
        return []
    with (
        closing(
            Platform(settings.api_url, token, connect_timeout_s=PATIENCE_SECS, read_timeout_s=PATIENCE_SECS)
        ) as api,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        return list(threads.map(lambda run_id: _outcome(api, run_id), run_ids))


def _outcome(api: Platform, run_id: RunId) -> Run | PlatformError:
    try:
        return abort_run(api, run_id)
    except PlatformError as error:
        return error
