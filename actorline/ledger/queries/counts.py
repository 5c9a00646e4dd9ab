"""How many jobs are in which state, of some accounts."""

from collections.abc import Collection

from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger


def count_jobs(ledger: Ledger, accounts: Collection[str] | None) -> dict[State, int]:
    """Return the number of jobs by state; `accounts`: of these only, None: of all."""
    indexes = [[account] for account in sorted(accounts)] if accounts is not None else [[]]
    with ledger.redis.pipeline(transaction=False) as pipe:
        for state in State:
            for parts in indexes:
                pipe.zcard(ledger.name("state", state, *parts))
        numbers = pipe.execute()
    each = len(indexes)
    return {state: sum(numbers[place * each : (place + 1) * each]) for place, state in enumerate(State)}


def stored_items(ledger: Ledger) -> int:
    """Return how many items were stored since the ledger was created."""
    return int(ledger.redis.hget(ledger.name("tally"), "items") or 0)
