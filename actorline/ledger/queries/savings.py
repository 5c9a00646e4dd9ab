"""What wasn't paid: runs that Actorline avoided or stopped, counted since the ledger began.

`register.lua`, `change.lua` and `ledger/runs.py` count them by account, each thing once, in the tally.
"""

from collections.abc import Collection
from dataclasses import dataclass

from actorline.budgets.reservation import NANO
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.tally import read_tally


@dataclass(frozen=True)
class Savings:
    """`joined`: orders under the key of a job that existed; each is worth what that job costs. `reused`: jobs that were
    given an earlier delivery (`reuse_secs`); each is worth what that one had cost. `stopped`: runs aborted that no job
    wanted; nobody knows what they would have cost.
    """

    joined: int = 0
    joined_usd: float = 0.0
    reused: int = 0
    reused_usd: float = 0.0
    stopped: int = 0

    @property
    def usd(self) -> float:
        return self.joined_usd + self.reused_usd


def read_savings(ledger: Ledger, *, accounts: Collection[str] | None) -> Savings:
    """Return what was saved; `accounts`: only of these."""
    tally = read_tally(ledger)

    def total(kind: str, what: str) -> int:
        counts = tally.counted(kind).items()
        return sum(
            count for (name, account), count in counts if name == what and (accounts is None or account in accounts)
        )

    return Savings(
        joined=total("saved", "joined"),
        joined_usd=total("saved_nano_usd", "joined") / NANO,
        reused=total("saved", "reused"),
        reused_usd=total("saved_nano_usd", "reused") / NANO,
        stopped=total("saved", "stopped"),
    )
