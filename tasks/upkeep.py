"""`actorline.upkeep(*keys)`: take care of these jobs now; without any, of all that are past their `due`."""

from celery import shared_task

from actorline.identifiers import JobKey
from actorline.upkeep.upkeep import Upkeep
from tasks.shell.care import care
from tasks.shell.environment import ledger, settings
from tasks.shell.outbox import CeleryOutbox


@shared_task(
    name="actorline.upkeep", ignore_result=True, send_events=False
)  # one a second would hide the jobs in Flower
def upkeep(*keys: JobKey) -> None:
    if keys:
        care().for_all(keys)
    else:
        Upkeep(ledger(), settings(), care(), CeleryOutbox()).sweep()
