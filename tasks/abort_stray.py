"""`actorline.abort_stray(run_id)`: abort a run that no job wants, until the platform reports its end."""

from collections.abc import Iterator
from contextlib import contextmanager

from celery import shared_task

from actorline.identifiers import AccountName, RunId
from actorline.platform.client import Platform
from actorline.upkeep import abort_stray as strays
from tasks.shell.environment import ledger, platform, settings
from tasks.shell.platform_slots import slots


@shared_task(name="actorline.abort_stray", ignore_result=True)
def abort_stray(run_id: RunId) -> None:
    strays.abort_stray(ledger(), run_id, accounts=settings().tokens, open_platform=_platform_in_slot)


@contextmanager
def _platform_in_slot(account: AccountName) -> Iterator[Platform]:
    with slots().taken(account):
        yield platform(account)
