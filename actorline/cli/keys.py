"""`keys`: who may use the HTTP door."""

import sys
from typing import Annotated

import typer

from actorline.api_keys import Scope, create_key, list_keys, revoke_key
from actorline.cli.jobs import AsJson
from actorline.cli.output import print_json, say
from actorline.cli.stack import attach
from actorline.errors import Code, Refused
from actorline.jobs.job import iso_time
from actorline.settings import load_settings

keys = typer.Typer(help="Make, list and revoke API keys for the HTTP door.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="a-z, 0-9 and -", metavar="NAME")]


@keys.command()
def create(
    name: Name,
    scope: Annotated[
        str, typer.Option(help="What it may do, comma-separated; `metrics`: read /metrics")
    ] = "submit,read,cancel",
    accounts: Annotated[str, typer.Option(help="Whose jobs it may order and see, comma-separated")] = "default",
    as_json: AsJson = False,
) -> None:
    """Make an API key. It is shown once; kept is its hash."""
    scopes = frozenset(map(_scope, _parts(scope)))
    with attach(load_settings(), workers=False) as stack:
        secret = create_key(stack.ledger, name, scopes, frozenset(_parts(accounts)))
    if as_json:
        print_json({"name": name, "key": secret})
        return
    say("It is shown this once: keep it. A service sends it as `Authorization: Bearer ...`.")
    sys.stdout.write(f"{secret}\n")


@keys.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List the API keys, by name."""
    with attach(load_settings(), workers=False) as stack:
        found = list_keys(stack.ledger)
    for key in found:
        facts = {
            "name": key.name,
            "scopes": sorted(key.scopes),
            "accounts": sorted(key.accounts),
            "created_at": iso_time(key.created_at),
        }
        if as_json:
            print_json(facts)
        else:
            words = (value if isinstance(value, str) else ",".join(value or ()) for value in facts.values())
            sys.stdout.write("\t".join(words) + "\n")
    if not found and not as_json:
        say("There are none. `actorline keys create NAME` makes one.")


@keys.command()
def revoke(name: Name, as_json: AsJson = False) -> None:
    """Revoke an API key; within a second it opens nothing."""
    with attach(load_settings(), workers=False) as stack:
        left = revoke_key(stack.ledger, name)
    if as_json:
        print_json({"name": name, "revoked": True, "keys_left": left})
        return
    say(f"{name} is revoked.")
    if not left:
        say("It was the last key. The HTTP door stays closed: `actorline keys create NAME` makes a new one.")


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        message = f"{text[:40]!r} is no scope: there are {', '.join(Scope)}. No key was made."
        raise Refused(Code.REQUEST_INVALID, message) from None


def _parts(text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise Refused(Code.REQUEST_INVALID, "Name at least one scope and one account. No key was made.")
    return parts
