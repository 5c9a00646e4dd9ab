"""`accounts`: the user of the platform that each alias belongs to."""

from actorline.cli.attach import attach
from actorline.cli.terminal.output import out, print_json
from actorline.errors import Code, Refused, Unavailable
from actorline.identifiers import AccountName
from actorline.ledger.accounts import Owner, list_owners, move_account, read_owner
from actorline.platform.errors import PlatformUnavailable
from actorline.settings import Settings, load_settings


def accounts(moved: str | None, *, as_json: bool) -> None:
    settings = load_settings()
    with attach(settings, workers=False, undone="" if moved is None else "Nothing was changed.") as stack:
        if moved is not None:
            account = AccountName(moved.lower())
            move_account(stack.ledger, account, _owner_here(settings, account))
        for alias, owner in list_owners(stack.ledger).items():
            row = {"account": alias, "user_id": owner.id, "username": owner.username or None}
            if as_json:
                print_json(row)
            else:
                out.print(f"{alias}: {owner.username or 'not known yet'}", highlight=False, markup=False)


def _owner_here(settings: Settings, alias: AccountName) -> Owner:
    """Return the user whose token is set for the alias here. Raises Refused and Unavailable."""
    token = settings.token_of(alias)
    if token is None:
        raise Refused(Code.AUTH, f"No token is set for the account {alias} here. Nothing was changed.")
    try:
        owner = read_owner(settings, token)
    except PlatformUnavailable as error:
        raise Unavailable(
            Code.PLATFORM_UNAVAILABLE,
            f"The token's user can't be read from the platform: {error}. Nothing was changed. Try again.",
        ) from error
    if owner.id is None:
        raise Refused(Code.AUTH, f"The platform does not report the user of {alias}'s token. Nothing was changed.")
    return owner
