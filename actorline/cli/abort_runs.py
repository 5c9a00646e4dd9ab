"""Runs are aborted from here, many at a time: workers would come to each only after the messages before it.

They abort it again, and until the platform confirms its end, as after any cancel.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Final

from actorline.cli.terminal.output import counted, say
from actorline.identifiers import AccountName, RunId
from actorline.jobs.job import Job
from actorline.platform.client import Platform
from actorline.platform.errors import PlatformError
from actorline.platform.runs import abort_run
from actorline.settings import Settings
from actorline.stages.watch.poll_run import POLL_STATES

AT_ONCE: Final = 16
PATIENCE_SECS: Final = 5.0  # workers continue with what takes longer


def abort_runs(settings: Settings, jobs: Sequence[Job]) -> None:
    """Abort the runs of jobs that were cancelled, and say how many. Those whose token isn't set here, workers abort."""
    billing: dict[AccountName, list[RunId]] = {}
    for job in jobs:
        if job.state in POLL_STATES and job.run.id and job.document.may_abort:
            billing.setdefault(job.document.account, []).append(job.run.id)
    aborted = sum(_abort(settings, account, run_ids) for account, run_ids in billing.items())
    if aborted:
        say(f"{counted(aborted, 'run')} aborted at the platform. The jobs end as soon as workers have confirmed it.")


def _abort(settings: Settings, account: AccountName, run_ids: Sequence[RunId]) -> int:
    token = settings.token_of(account)
    if token is None:
        return 0
    with (
        closing(
            Platform(settings.api_url, token, connect_timeout_s=PATIENCE_SECS, read_timeout_s=PATIENCE_SECS)
        ) as api,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        return sum(threads.map(lambda run_id: _is_aborted(api, run_id), run_ids))


def _is_aborted(api: Platform, run_id: RunId) -> bool:
    try:
        abort_run(api, run_id)
    except PlatformError:  # a worker tries again, and its log says why it fails
        return False
    return True
