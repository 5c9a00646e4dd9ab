"""`actorline.fetch_ahead(key, epoch)`: fetch full pages of a running run; each is stored with a receipt."""

from celery import shared_task

from actorline.identifiers import JobKey
from actorline.stages.collect.fetch_ahead import AheadPlanner
from tasks.shell.canvas import send_pages
from tasks.shell.environment import installation, ledger, platform_of, settings
from tasks.shell.stage import StageTask


@shared_task(base=StageTask, name="actorline.fetch_ahead")
def fetch_ahead(key: JobKey, epoch: int) -> None:
    ahead = AheadPlanner(ledger(), platform_of(key), settings(), installation()).plan(key, epoch)
    if ahead:
        send_pages(key, epoch, ahead.attempt, ahead.pages)
