"""How many more runs an account may have now, in words."""

from collections.abc import Iterable, Iterator

from actorline.identifiers import AccountName
from actorline.ledger.admission.account_room import MBYTES_OF_A_GBYTE, AccountRoom, NotedRoom, RoomLeft
from actorline.ledger.ledger import Ledger
from actorline.story.number_words import counted


def left_text(left: RoomLeft) -> str:
    """Return `6 runs and 1.5 GB of memory left`; nothing if no limit is known."""
    parts = []
    if left.runs is not None:
        parts.append(counted(max(left.runs, 0), "run"))
    if left.memory_mbytes is not None:
        parts.append(f"{round(max(left.memory_mbytes, 0) / MBYTES_OF_A_GBYTE, 2):,.10g} GB of memory")
    return f"{' and '.join(parts)} left" if parts else ""


def room_lines(ledger: Ledger, accounts: Iterable[AccountName]) -> Iterator[str]:
    """Yield what each account has left, as far as a start has asked for it in the last minutes."""
    for account in accounts:
        noted = AccountRoom(ledger, account).noted()
        if noted and (text := left_text(noted.left)):
            yield f"Account {account}: {text}{_age(noted)}."


def _age(noted: NotedRoom) -> str:
    return f", as of {noted.age_s:.0f} s ago" if noted.age_s >= 1 else ""
