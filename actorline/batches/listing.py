"""Lists of batches, the newest first, in pages."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from actorline.batches.batch import Batch, load_batch_if_possible
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.listing import Cursor

BATCHES_A_BLOCK: Final = 100
BATCHES_SEEN_MAX: Final = 500  # a page looks at hardly more, however few are of the accounts


@dataclass(frozen=True)
class BatchList:
    """`next`: where the list continues; None: that was all. It may hold fewer batches than asked for, even none."""

    batches: list[Batch]
    next: Cursor | None


def list_batches(
    ledger: Ledger, *, limit: int, after: Cursor | None = None, accounts: Collection[str] | None = None, text: str = ""
) -> BatchList:
    """List batches; `accounts`: only of these (lower case), None: of all; `text`: a part of the key."""
    found: list[Batch] = []
    shown: Cursor | None = None
    for seen, place in enumerate(_places(ledger, after), 1):
        batch = load_batch_if_possible(ledger, place.key) if text in place.key else None
        if batch and (accounts is None or batch.document.account.lower() in accounts):
            found.append(batch)
            shown = place
        if len(found) == limit or (seen >= BATCHES_SEEN_MAX and place.is_older_than(after)):
            return BatchList(found, place.naming_only(shown))
    return BatchList(found, None)


def _places(ledger: Ledger, after: Cursor | None) -> Iterator[Cursor]:
    while True:
        entries = ledger.batches.queued_until(after.queued_at if after else None, BATCHES_A_BLOCK)
        block = [Cursor(queued_at, key) for key, queued_at in entries]
        yield from (each for each in block if after is None or each < after)
        if len(block) < BATCHES_A_BLOCK:
            return
        after = block[-1]
