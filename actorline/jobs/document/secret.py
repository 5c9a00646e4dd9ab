"""`{"$secret": "NAME"}` in an input: the worker fills in the value, for the Actors and accounts that may have it.

The platform stores a run's input as a record, so that record is not delivered if it may contain a secret. An Actor's
own output can't be checked: a secret is only as safe as the Actors that get it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actorline.errors import Code, Refused
from actorline.identifiers import AccountName
from actorline.jobs.actor_name import spelling
from actorline.jobs.document.job_document import JobDocument
from actorline.setting_groups import Secret
from actorline.settings import Settings

MASK: Final = "**********"
_MARK: Final = "$secret"
_INPUT: Final = "INPUT"
_METAMORPH: Final = "INPUT-METAMORPH-"


@dataclass(frozen=True)
class Holder:
    """What is started. `find_id` returns the platform's id of an Actor or Actor task; None: there is none."""

    kind: str
    name: str
    account: AccountName
    find_id: Callable[[str], str | None]

    def may_have(self, secret: Secret) -> bool:
        """Return whether it may have the secret: its account, and its name in any spelling, are listed."""
        if self.account.lower() not in {account.lower() for account in secret.accounts}:
            return False
        allowed = {spelling(name) for name in (secret.actors if self.kind == "actor" else secret.actor_tasks)}
        if not allowed or spelling(self.name) in allowed:
            return bool(allowed)
        own_id = self.find_id(self.name)
        return own_id is not None and own_id in {self.find_id(name) for name in allowed}


def is_secret(value: Any) -> bool:
    """Return whether a value in an input stands for a secret."""
    return isinstance(value, dict) and _MARK in value


def names_secret(value: Any) -> bool:
    """Return whether an input asks for a secret anywhere."""
    if isinstance(value, dict):
        return is_secret(value) or any(names_secret(part) for part in value.values())
    return isinstance(value, list) and any(names_secret(part) for part in value)


def fill_secrets(value: Any, holder: Holder, secrets: Mapping[str, Secret]) -> Any:
    """Return the input with its secrets. Raises Refused for one that isn't set, or not allowed for this holder."""
    if is_secret(value):
        return _secret(value, holder, secrets)
    if isinstance(value, dict):
        return {name: fill_secrets(part, holder, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [fill_secrets(part, holder, secrets) for part in value]
    return value


def check_input_records(document: JobDocument, *, trusted: bool) -> None:
    """Refuse to deliver an input that has one of our secrets, or may have one as the input of a run taken over."""
    asked = [key for key in document.collect.records if is_input_record(key)]
    if not asked:
        return
    if names_secret(document.input):
        why = "the input has a secret, which is never delivered"
    elif document.run_id and not trusted:
        why = "the run is taken over, so its input may have a secret"
    else:
        return
    raise Refused(
        Code.SECRET_REFUSED,
        f"The record {asked[0]} can't be delivered: {why}. Nothing was started. Leave it out of collect.records.",
    )


def withheld_records(record_keys: Sequence[str], document: JobDocument, given: Any) -> list[str]:
    """Return the keys that are not delivered; `given`: the job's input. For a run that is taken over, records asked for
    by name were allowed when the order was accepted.
    """
    inputs = [key for key in record_keys if is_input_record(key)]
    if names_secret(given):
        return inputs
    return [key for key in inputs if document.run_id and key not in document.collect.records]


def is_input_record(record_key: str) -> bool:
    """Return whether the platform stores a run's input under this key."""
    return record_key == _INPUT or record_key.startswith(_METAMORPH)


def hide_secrets(text: str, settings: Settings) -> str:
    """Return text of the platform or of an Actor with our secrets and tokens masked."""
    hidden = [secret.value.get_secret_value() for secret in settings.secrets.values()]
    hidden += [token.get_secret_value() for token in settings.tokens.values()]
    return masked(text, hidden)


def masked(text: str, hidden: Sequence[str]) -> str:
    """Return the text with the hidden parts masked, longest first, as one may contain another."""
    for secret in sorted(filter(None, hidden), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _secret(value: dict[str, Any], holder: Holder, secrets: Mapping[str, Secret]) -> str:
    name = value[_MARK]
    if len(value) != 1 or not isinstance(name, str):
        raise Refused(
            Code.SECRET_REFUSED, 'A secret must be {"$secret": "NAME"} and nothing else. Nothing was started.'
        )
    secret = next((secret for known, secret in secrets.items() if known.upper() == name.upper()), None)
    if secret is None or not holder.may_have(secret):
        shown = name[:60].encode("ascii", "backslashreplace").decode()
        allowing = "ACTORS" if holder.kind == "actor" else "ACTOR_TASKS"
        raise Refused(
            Code.SECRET_REFUSED,
            f"The secret {shown} is not set for {holder.name} in the account {holder.account}. Nothing was started. "
            f"Set ACTORLINE_SECRETS__<NAME>__VALUE, __{allowing} and __ACCOUNTS where the workers run.",
        )
    return secret.value.get_secret_value()
