"""`webhooks`: Actors and Actor tasks whose runs are collected, whoever starts them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from rich.markup import escape

from actorline.cli.attach import AttachedStack, attach
from actorline.cli.ordering.order import read_document
from actorline.cli.terminal.output import out, print_json, say
from actorline.cli.terminal.table import new_table
from actorline.cli.terminal.times import short_time
from actorline.errors import Code, Refused, SettingsError, Unavailable
from actorline.identifiers import AccountName
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.times import iso_time
from actorline.ledger.audit import record
from actorline.platform import errors as platform_errors
from actorline.platform.client import Platform
from actorline.platform.webhooks import get_webhook
from actorline.settings import Settings, load_settings, token_variable
from actorline.webhooks.hooks import Hook, Hooks
from actorline.webhooks.receiver import GRACE_SECS, rotate_secret
from actorline.webhooks.registration import HookMaker, check_template

PLATFORM_REFUSALS: Final = (
    (platform_errors.AuthFailed, Code.AUTH),
    (platform_errors.Forbidden, Code.FORBIDDEN),
    (platform_errors.NotFound, Code.ACTOR_NOT_FOUND),
    (platform_errors.InvalidRequest, Code.REQUEST_INVALID),
)
TOO_MANY: Final = "too-many-webhooks"


def add(document: str, actor: str | None, actor_task: str | None, *, as_json: bool) -> None:
    if (actor is None) == (actor_task is None):
        raise typer.BadParameter("give either an ACTOR or --actor-task")
    settings, template = load_settings(), read_document(document)
    account = check_template(template, settings)
    with attach(settings, workers=False, undone="Nothing was changed.") as stack, _platform_faults():
        maker = _maker(settings, stack, account)
        if actor is not None:
            hook = maker.add(account, "actor", actor, template)
        else:
            hook = maker.add(account, "actor_task", str(actor_task), template)
        record(stack.ledger, "webhook-added", FROM_TERMINAL, id=hook.id, target=hook.name, account=account)
    if as_json:
        print_json(_facts(hook))
    else:
        say(f"{hook.name}: from now on each of its runs is collected, as a job with the run's id as its key.")
        sys.stdout.write(f"{hook.id}\n")


def list_(*, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False) as stack:
        hooks = Hooks(stack.ledger).all()
    if as_json:
        for hook in hooks:
            print_json({**_facts(hook), "last_dispatch": _last_dispatch(settings, hook)})
    elif hooks:
        _print_table(settings, hooks)
    else:
        say("There are no webhooks. Add one: actorline webhooks add ACTOR --document FILE")


def remove(hook_id: str, *, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False, undone="Nothing was changed.") as stack, _platform_faults():
        hook = Hooks(stack.ledger).find(hook_id)
        if hook is None:
            raise Refused(
                Code.UNKNOWN_KEY,
                f"We have no webhook {hook_id[:40]!r}. Nothing was changed. See `actorline webhooks list`.",
            )
        _maker(settings, stack, hook.account).remove(hook)
        record(stack.ledger, "webhook-removed", FROM_TERMINAL, id=hook.id, target=hook.name, account=hook.account)
    if as_json:
        print_json({"id": hook.id, "removed": True})
    else:
        say(f"The runs of {hook.name} are no longer collected.")


def rotate(*, now: bool, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False, undone="Nothing was changed.") as stack, _platform_faults():
        rotate_secret(stack.ledger, settings, grace_s=0 if now else GRACE_SECS)
        record(stack.ledger, "webhooks-rotated", FROM_TERMINAL, grace_secs=0 if now else GRACE_SECS)
        renewed = [
            _maker(settings, stack, hook.account).add(hook.account, hook.target, hook.name, hook.template)
            for hook in Hooks(stack.ledger).all()
        ]
    if as_json:
        print_json({"rotated": True, "webhooks": [hook.id for hook in renewed]})
    else:
        until = "The old one is refused from now on" if now else "The old one is accepted for three more days"
        say(f"The secret was changed, also for {len(renewed)} webhooks on the platform. {until}.")


def _maker(settings: Settings, stack: AttachedStack, account: AccountName) -> HookMaker:
    installation = stack.ledger.installation(settings.installation)
    return HookMaker(stack.ledger, _platform(settings, account), settings, installation)


def _platform(settings: Settings, account: AccountName) -> Platform:
    token = settings.token_of(account)
    if token is None:
        raise SettingsError(
            f"No token is set for the account {account}. Nothing was changed. Set {token_variable(account)}."
        )
    return Platform(settings.api_url, token)


@contextmanager
def _platform_faults() -> Iterator[None]:
    """Translate errors of the platform to Refused or Unavailable."""
    try:
        yield
    except platform_errors.PlatformError as error:
        code = next((code for kind, code in PLATFORM_REFUSALS if isinstance(error, kind)), None)
        if code is None:
            raise Unavailable(
                Code.PLATFORM_UNAVAILABLE,
                f"{error}. It may or may not have been done. Running the command again is safe.",
            ) from error
        advice = " Remove some, here or in the platform's console." if error.type == TOO_MANY else ""
        raise Refused(
            code, f"The platform refuses: {error}. Nothing was changed.{advice}", platform_type=error.type
        ) from error


def _print_table(settings: Settings, hooks: list[Hook]) -> None:
    table = new_table(("id", "collects", "account", "added", "last event"), whole={"id"})
    for hook in hooks:
        last = _last_dispatch(settings, hook)
        table.add_row(escape(hook.id), escape(hook.name), hook.account, short_time(hook.added_at), escape(last))
    out.print(table)


def _facts(hook: Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        hook.target: hook.name,
        "account": hook.account,
        "webhook_id": hook.webhook_id,
        "added_at": iso_time(hook.added_at),
    }


def _last_dispatch(settings: Settings, hook: Hook) -> str:
    """Return ACTIVE, SUCCEEDED or FAILED, as on the platform, or in words why that is unknown."""
    if hook.webhook_id is None:
        return "not registered: add it again"
    try:
        dispatch = get_webhook(_platform(settings, hook.account), hook.webhook_id).last_dispatch
    except platform_errors.NotFound:
        return "gone from the platform: add it again, or remove it"
    except (platform_errors.PlatformError, SettingsError) as error:
        return f"unknown: {error}"
    return dispatch.status if dispatch else "none yet"
