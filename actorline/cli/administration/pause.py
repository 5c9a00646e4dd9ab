"""`pause` and `resume`: whether new paid runs are started."""

from actorline.cli.attach import attach
from actorline.cli.terminal.output import print_json, say
from actorline.identifiers import AccountName
from actorline.jobs.sender import FROM_TERMINAL
from actorline.ledger.accounts import list_owners
from actorline.ledger.admission.pause import EVERY_ACCOUNT
from actorline.ledger.admission.pause import pause as put_on
from actorline.ledger.admission.pause import resume as take_off
from actorline.ledger.audit import record
from actorline.settings import load_settings


def pause(account: str | None, *, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False, undone="Nothing was paused: paid runs are still started.") as stack:
        put_on(stack.ledger, AccountName(account or EVERY_ACCOUNT))
        known = {*settings.tokens, *list_owners(stack.ledger)}
        record(stack.ledger, "paused", FROM_TERMINAL, account=account or EVERY_ACCOUNT)
    _report("paused", account, as_json=as_json)
    say(
        "Until `actorline resume`, `run` is refused. `submit`, HTTP, Celery and schedules still order; their jobs wait."
    )
    if account and account.lower() not in known:
        say(f"No worker has had a token for the account {account}. Known: {', '.join(sorted(known)) or 'none'}.")


def resume(account: str | None, *, as_json: bool) -> None:
    with attach(load_settings(), workers=False, undone="Nothing was resumed: jobs still wait.") as stack:
        take_off(stack.ledger, AccountName(account or EVERY_ACCOUNT))
        record(stack.ledger, "resumed", FROM_TERMINAL, account=account or EVERY_ACCOUNT)
    _report("resumed", account, as_json=as_json)


def _report(what: str, account: str | None, *, as_json: bool) -> None:
    if as_json:
        print_json({what: account or EVERY_ACCOUNT})
    else:
        say(f"{what.capitalize()}: {f'the account {account}' if account else 'every account'}.")
