"""`{"$secret": "NAME"}` in an input: the worker writes the value in its place, for the Actors that may have it."""

from collections.abc import Mapping
from typing import Any

from actorline.errors import Code, Refused
from actorline.settings import Secret

_MARK = "$secret"


def fill_secrets(value: Any, target: str, secrets: Mapping[str, Secret]) -> Any:
    """The input with its secrets. Raises Refused for a name that isn't set, or not meant for this Actor."""
    if isinstance(value, dict):
        if _MARK in value:
            return _secret(value, target, secrets)
        return {name: fill_secrets(part, target, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [fill_secrets(part, target, secrets) for part in value]
    return value


def _secret(value: dict[str, Any], target: str, secrets: Mapping[str, Secret]) -> str:
    name = value[_MARK]
    if len(value) != 1 or not isinstance(name, str):
        raise Refused(
            Code.SECRET_REFUSED, 'A secret is written {"$secret": "NAME"} and nothing else. Nothing was started.'
        )
    secret = next((secret for known, secret in secrets.items() if known.upper() == name.upper()), None)
    allowed = {actor.replace("/", "~") for actor in secret.actors} if secret else set()
    if secret is None or target.replace("/", "~") not in allowed:
        shown = name[:60].encode("ascii", "backslashreplace").decode()
        message = (
            f"The secret {shown} is not set for {target}. Nothing was started. "
            "Set ACTORLINE_SECRETS__<NAME>__VALUE and __ACTORS where the workers run."
        )
        raise Refused(Code.SECRET_REFUSED, message)
    return secret.value.get_secret_value()
