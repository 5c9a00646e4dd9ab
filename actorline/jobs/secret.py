"""`{"$secret": "NAME"}` in an input: the worker puts the value there, for the Actors and accounts that may have it.

The platform keeps a run's input as a record, so that record is not delivered where it may hold a secret. What an Actor
itself writes can't be looked through: a secret is as safe as the Actors that it is given to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from actorline.errors import Code, Refused
from actorline.jobs.document import JobDocument
from actorline.settings import Secret, Settings

MASK: Final = "**********"
_MARK: Final = "$secret"
_INPUT: Final = "INPUT"
_METAMORPH: Final = "INPUT-METAMORPH-"


@dataclass(frozen=True)
class Holder:
    """What is started. `find_id`: the platform's id of an Actor or Actor task of a name; None: there is none."""

    kind: str
    name: str
    account: str
    find_id: Callable[[str], str | None]

    def may_have(self, secret: Secret) -> bool:
        """Return whether the secret was given to it: named in any of the platform's spellings, in an account of its."""
        if self.account.lower() not in {account.lower() for account in secret.accounts}:
            return False
        allowed = {_spelled(name) for name in (secret.actors if self.kind == "actor" else secret.actor_tasks)}
        if not allowed or _spelled(self.name) in allowed:
            return bool(allowed)
        own_id = self.find_id(self.name)
        return own_id is not None and own_id in {self.find_id(name) for name in allowed}


def names_secret(value: Any) -> bool:
    """Return whether a secret is asked for anywhere in an input."""
    if isinstance(value, dict):
        return _MARK in value or any(names_secret(part) for part in value.values())
    return isinstance(value, list) and any(names_secret(part) for part in value)


def fill_secrets(value: Any, holder: Holder, secrets: Mapping[str, Secret]) -> Any:
    """Return the input with its secrets. Raises Refused for a name that isn't set, or not meant for this holder."""
    if isinstance(value, dict):
        if _MARK in value:
            return _secret(value, holder, secrets)
        return {name: fill_secrets(part, holder, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [fill_secrets(part, holder, secrets) for part in value]
    return value


def check_input_records(document: JobDocument, *, trusted: bool) -> None:
    """Refuse to deliver an input that holds a secret of ours, or may hold one: that of a run which is taken over."""
    asked = [key for key in document.collect.records if is_input_record(key)]
    if not asked:
        return
    if names_secret(document.input):
        why = "the input has a secret, which never comes back"
    elif document.run_id and not trusted:
        why = "the run is taken over, so its input may hold a secret"
    else:
        return
    message = f"The record {asked[0]} can't be delivered: {why}. Nothing was started. Leave it out of collect.records."
    raise Refused(Code.SECRET_REFUSED, message)


def withheld_records(record_keys: Sequence[str], document: JobDocument, given: Any) -> list[str]:
    """Return the keys that are not delivered; `given`: the job's input. Of a run that is taken over what was asked for
    by name has been allowed by the door.
    """
    inputs = [key for key in record_keys if is_input_record(key)]
    if names_secret(given):
        return inputs
    return [key for key in inputs if document.run_id and key not in document.collect.records]


def is_input_record(record_key: str) -> bool:
    """Return whether the platform keeps a run's input under this key."""
    return record_key == _INPUT or record_key.startswith(_METAMORPH)


def hide_secrets(text: str, settings: Settings) -> str:
    """Return words of the platform or of an Actor without our secrets and tokens."""
    hidden = [secret.value.get_secret_value() for secret in settings.secrets.values()]
    hidden += [token.get_secret_value() for token in settings.tokens.values()]
    return masked(text, hidden)


def masked(text: str, hidden: Sequence[str]) -> str:
    """Return the text without what is hidden; the longest first, which may contain another one."""
    for secret in sorted(filter(None, hidden), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def _spelled(name: str) -> str:
    return name.replace("/", "~")


def _secret(value: dict[str, Any], holder: Holder, secrets: Mapping[str, Secret]) -> str:
    name = value[_MARK]
    if len(value) != 1 or not isinstance(name, str):
        raise Refused(
            Code.SECRET_REFUSED, 'A secret is written {"$secret": "NAME"} and nothing else. Nothing was started.'
        )
    secret = next((secret for known, secret in secrets.items() if known.upper() == name.upper()), None)
    if secret is None or not holder.may_have(secret):
        shown = name[:60].encode("ascii", "backslashreplace").decode()
        allowing = "ACTORS" if holder.kind == "actor" else "ACTOR_TASKS"
        message = (
            f"The secret {shown} is not set for {holder.name} in the account {holder.account}. Nothing was started. "
            f"Set ACTORLINE_SECRETS__<NAME>__VALUE, __{allowing} and __ACCOUNTS where the workers run."
        )
        raise Refused(Code.SECRET_REFUSED, message)
    return secret.value.get_secret_value()
