"""`keys`: API keys for the HTTP gateway and their rights."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.markup import escape

from actorline.api_keys import ApiKey, create_key, list_keys, revoke_key
from actorline.cli.attach import attach
from actorline.cli.terminal.output import out, print_json, say
from actorline.cli.terminal.table import new_table
from actorline.errors import Code, Refused
from actorline.identifiers import AccountName
from actorline.jobs.actor_name import spelling
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.times import iso_time
from actorline.platform.actors import get_actor, get_actor_task
from actorline.platform.client import Platform
from actorline.platform.errors import NotFound, PlatformError
from actorline.settings import Settings, load_settings

Look = Callable[[Platform, str], Any]


def create(
    name: str,
    scope: str,
    accounts: str,
    actors: str | None,
    actor_tasks: str | None,
    max_usd_per_run: float | None,
    max_usd_per_day: float | None,
    *,
    as_json: bool,
) -> None:
    settings = load_settings()
    aliases = frozenset(map(AccountName, _parts(accounts)))
    is_limited = actors is not None or actor_tasks is not None
    rights = Rights(
        scopes=frozenset(map(_scope, _parts(scope))),
        accounts=aliases,
        actors=_spellings(settings, aliases, get_actor, actors) if is_limited else None,
        actor_tasks=_spellings(settings, aliases, get_actor_task, actor_tasks) if is_limited else None,
        max_usd_per_run=max_usd_per_run,
        max_usd_per_day=max_usd_per_day,
    )
    with attach(settings, workers=False, undone="No key was created.") as stack:
        secret = create_key(stack.ledger, name, rights, FROM_TERMINAL)
    for warning in warnings(rights, settings):
        say(f"Note: {warning}")
    if as_json:
        print_json({"name": name, "key": secret})
        return
    say("It is shown only once: store it now. A service sends it as `Authorization: Bearer ...`.")
    sys.stdout.write(f"{secret}\n")


def list_(*, as_json: bool) -> None:
    with attach(load_settings(), workers=False) as stack:
        found = list_keys(stack.ledger)
    if as_json:
        for key in found:
            print_json({"name": key.name, **key.rights.described(), "created_at": iso_time(key.created_at)})
    elif found:
        _print_table(found)
    else:
        say("There are no API keys. Create one: actorline keys create NAME")


def revoke(name: str, *, as_json: bool) -> None:
    with attach(load_settings(), workers=False, undone="No key was revoked.") as stack:
        left = revoke_key(stack.ledger, name, FROM_TERMINAL)
    if as_json:
        print_json({"name": name, "revoked": True, "keys_left": left})
        return
    say(f"{name} is revoked.")
    if not left:
        say("It was the last key. The HTTP gateway stays closed until there is a new one: actorline keys create NAME")


def warnings(rights: Rights, settings: Settings) -> Iterator[str]:
    """Yield what a key may do beyond what its creator may expect."""
    may_run = rights.has(Scope.SUBMIT)
    if may_run and rights.actors is None:
        yield "it may run every Actor with the account's token. --actors limits it to those that it needs."
    if may_run and rights.max_usd_per_run is None and rights.max_usd_per_day is None:
        yield "its orders may cost any amount. --max-usd-per-run and --max-usd-per-day limit that."
    if rights.has(Scope.COLLECT):
        yield "collect reads every run, dataset and record of the account, whoever made them."
    if rights.has(Scope.FULL_PERMISSIONS):
        yield "full-permissions gives the Actors that it runs access to the whole account."
    for account in sorted(rights.accounts or ()):
        if settings.token_of(account) is None:
            yield f"no token is set here for the account {account}: is the alias right?"


def _print_table(found: list[ApiKey]) -> None:
    columns = ("name", "scopes", "accounts", "actors", "usd/run", "usd/day", "created")
    table = new_table(columns, right={"usd/run", "usd/day"})
    for key in found:
        rights = key.rights
        runs = None if rights.actors is None else rights.actors | (rights.actor_tasks or frozenset())
        table.add_row(
            escape(key.name),
            _joined(rights.scopes),
            _joined(rights.accounts),
            _joined(runs),
            *("any" if limit is None else f"{limit:g}" for limit in (rights.max_usd_per_run, rights.max_usd_per_day)),
            (iso_time(key.created_at) or "")[:10],
        )
    out.print(table)


def _joined(names: frozenset[str] | frozenset[Scope] | None) -> str:
    return "any" if names is None else escape(", ".join(sorted(names)) or "none")


def _spellings(settings: Settings, accounts: frozenset[AccountName], look: Look, names: str | None) -> frozenset[str]:
    """Return the spellings of each name that an order may use: `user~name` and the id, as on the platform."""
    return frozenset(
        each for name in _split(names or "") for each in {spelling(name), *_known(settings, accounts, look, name)}
    )


def _known(settings: Settings, accounts: frozenset[AccountName], look: Look, name: str) -> set[str]:
    """Look the name up with the accounts' tokens. Raises Refused if none of them has such an Actor or Actor task."""
    why = "no token is set for its accounts"
    for account in sorted(accounts):
        if (token := settings.token_of(account)) is None:
            continue
        try:
            found = look(Platform(settings.api_url, token), name)
        except NotFound:
            why = ""
            continue
        except PlatformError as error:
            why = str(error)
            continue
        return {found.id} | ({f"{found.username}~{found.name}"} if found.username else set())
    if not why:
        raise Refused(Code.ACTOR_NOT_FOUND, f"The platform has no {name[:100]!r}. No key was created.")
    say(f"Note: {name} couldn't be looked up ({why}): only this spelling of it is allowed.")
    return set()


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise Refused(
            Code.REQUEST_INVALID, f"{text[:40]!r} is not a scope: there are {', '.join(Scope)}. No key was created."
        ) from None


def _parts(text: str) -> list[str]:
    parts = _split(text)
    if not parts:
        raise Refused(Code.REQUEST_INVALID, "Name at least one scope and one account. No key was created.")
    return parts


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
