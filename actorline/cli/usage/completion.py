"""What Tab offers for a value: keys of jobs, accounts, schedules, API keys, webhooks, formats, reasons.

What can't be read offers nothing, whatever the reason: a traceback would be written into the line being typed. Tab
doesn't wait for a silent server, and starts nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from actorline.jobs.states import LIVE, TERMINAL, State

if TYPE_CHECKING:
    from actorline.ledger.ledger import Ledger

Complete = Callable[[Any, str], list[str]]
"""Typer passes parameters by name: `ctx`, and `incomplete`, what was typed of the value."""
MOST_OFFERED: Final = 100
KEYS_A_STATE: Final = 1_000  # of each state: the newest
BATCHES_SEEN: Final = 200
PATIENCE_SECS: Final = 1.0


def complete_key(*states: State) -> Complete:
    """Offer keys of batches and jobs in these states (default: all): unfinished ones first, newest first."""

    def complete(ctx: Any, incomplete: str) -> list[str]:
        given = {word for value in ctx.params.values() if isinstance(value, list | tuple) for word in value}
        with suppress(Exception), _ledger() as ledger:
            groups = [[state for state in states or State if state in group] for group in (LIVE, TERMINAL)]
            keys = (
                key
                for group in groups
                for key in (*ledger.batches.newest_in(group, BATCHES_SEEN), *ledger.newest_keys(group, KEYS_A_STATE))
            )
            return list(islice((key for key in keys if key.startswith(incomplete) and key not in given), MOST_OFFERED))
        return []

    return complete


def complete_account(incomplete: str) -> list[str]:
    """Offer the aliases with a token here or an entry in the ledger, also after a comma."""
    from actorline.ledger.accounts import list_owners
    from actorline.settings import load_settings

    known: set[str] = set()
    with suppress(Exception):
        known |= set(load_settings().tokens)
        with _ledger() as ledger:
            known |= set(list_owners(ledger))
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{alias}" for alias in sorted(known) if alias.startswith(last)]


def complete_schedule(incomplete: str) -> list[str]:
    """Offer the names in schedules.toml, even if the file has mistakes."""
    import tomllib

    from actorline.settings import load_settings

    with suppress(Exception):
        settings = load_settings()
        file = settings.schedules_file or settings.home / "schedules.toml"
        return [name for name in tomllib.loads(file.read_text("utf-8-sig"))["schedules"] if name.startswith(incomplete)]
    return []


def complete_api_key(incomplete: str) -> list[str]:
    """Offer the names of API keys."""
    with suppress(Exception), _ledger() as ledger:
        from actorline.api_keys import list_keys

        return [key.name for key in list_keys(ledger) if key.name.startswith(incomplete)]
    return []


def complete_webhook(incomplete: str) -> list[str]:
    """Offer the ids of webhooks."""
    with suppress(Exception), _ledger() as ledger:
        from actorline.webhooks.hooks import Hooks

        return [hook.id for hook in Hooks(ledger).all() if hook.id.startswith(incomplete)]
    return []


def complete_format(incomplete: str) -> list[str]:
    """Offer the formats of rows."""
    from actorline.delivery.formats.rules import FORMAT_NAMES

    return [name for name in FORMAT_NAMES if name.startswith(incomplete)]


def complete_reason(incomplete: str) -> list[str]:
    """Offer the codes of reasons."""
    from actorline.errors import Code

    return [code for code in Code if code.startswith(incomplete)]


@contextmanager
def _ledger() -> Iterator["Ledger"]:
    """Open the ledger without starting, or waiting for, anything."""
    from actorline.ledger.ledger import Ledger
    from actorline.ledger.store import connect
    from actorline.settings import load_settings

    settings = load_settings()
    with connect(settings.ledger, socket_timeout_s=PATIENCE_SECS, retries=0) as client:
        yield Ledger(client, settings.namespace)
