"""Cancelling is a wish in the ledger, set whatever the job's state is: it never loses a race."""

from actorline.jobs.ledger import Ledger
from actorline.jobs.states import LIVE


def cancel_job(ledger: Ledger, key: str) -> bool:
    """Say that the job isn't wanted any more; it is due at once. False: unknown, or ended already."""
    fields = {"wanted": "cancel", "resume": True}
    won = ledger.change(key, states=LIVE, epoch=None, care_s=0, tell="cancel-asked", on_disk=True, fields=fields)
    return won is not None
