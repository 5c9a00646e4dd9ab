"""What an order counts against its API key's dollars per day (UTC): the most that its runs can cost."""

from dataclasses import dataclass, replace

from actorline.budgets.reservation import NANO
from actorline.errors import Code, Refused
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.sender import Sender


@dataclass(frozen=True)
class Allowance:
    """`holder`: name of the API key; `nano_usd`: what the order may cost; `limit_nano_usd`: of all its orders a day."""

    holder: str
    nano_usd: int
    limit_nano_usd: int

    def given_back(self) -> "Allowance":
        return replace(self, nano_usd=-self.nano_usd)

    def refused(self, spent_nano_usd: int) -> Refused:
        """Return the refusal of an order that exceeds the day's limit."""
        message = (
            f"The API key may spend ${self.limit_nano_usd / NANO:g} a day. Today's orders have used "
            f"${spent_nano_usd / NANO:g}, and this one may cost ${self.nano_usd / NANO:g}. Nothing was started. "
            "The next day begins at 00:00 UTC."
        )
        return Refused(Code.FORBIDDEN, message)


def allowance_of(sender: Sender, document: JobDocument) -> Allowance | None:
    """Return what an order counts against its key's day; None: the key has no limit, or the order starts no run."""
    limit, charge = sender.rights.max_usd_per_day, document.options.max_total_charge_usd
    if sender.holder is None or limit is None or charge is None or not document.starts_run:
        return None
    runs = 1 + document.on_failure.new_runs
    return Allowance(sender.holder, round(charge * runs * NANO), round(limit * NANO))
