"""What a batch counts against its API key's dollars per day: the most that all its members can cost."""

from dataclasses import replace

from actorline.batches.document import BatchDocument
from actorline.errors import Code, Refused
from actorline.jobs.allowance import Allowance, allowance_of
from actorline.jobs.sender import Sender
from actorline.ledger.ledger import Ledger


def take_allowance(document: BatchDocument, runs: int | None, ledger: Ledger, sender: Sender) -> Allowance | None:
    """Take what the members may cost of their API key's day, all at once. Raises Refused if that isn't left."""
    each = allowance_of(sender, document.template)
    if each is None:
        return None
    if runs is None:
        raise Refused(
            Code.FORBIDDEN,
            "The API key may spend a limited sum a day, so it must be known beforehand how many inputs there are: send "
            "them as inputs or split, not as inputs_url. Nothing was started.",
        )
    allowance = replace(each, nano_usd=each.nano_usd * runs)
    is_taken, spent = ledger.spend(allowance)
    if not is_taken:
        raise allowance.refused(spent)
    return allowance
