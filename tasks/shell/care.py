"""Care for jobs in this worker process."""

from actorline.upkeep.care import Care
from tasks.shell.environment import installation, ledger, settings
from tasks.shell.outbox import CeleryOutbox


def care() -> Care:
    return Care(ledger(), installation(), CeleryOutbox(), settings().lost_message_secs)
