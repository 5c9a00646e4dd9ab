"""API keys: who may order, read and stop jobs over HTTP. The ledger's Redis has their hashes, never the keys."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from actorline.errors import Code, Refused
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import Sender
from actorline.ledger.audit import record
from actorline.ledger.ledger import Ledger
from actorline.ledger.store import Client
from actorline.secret_digest import digest

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
PREFIX: Final = "actorline"
VERSION: Final = 2


EARLIER: Final[Mapping[Scope, frozenset[Scope]]] = {
    Scope.SUBMIT: frozenset({Scope.COLLECT, Scope.RETRY_ANY, Scope.FULL_PERMISSIONS}),
    Scope.CANCEL: frozenset({Scope.CANCEL_ANY}),
}
"""Further scopes that these included in keys of the first version."""


class ApiKey(Rights):
    """A key as stored. `created_at`: unix seconds; `version`: what its scopes mean."""

    name: str
    sha256: str
    created_at: float
    version: int = 1

    @property
    def rights(self) -> Rights:
        """Return what the key may do; one made by an earlier version keeps the rights that it had then."""
        scopes = self.scopes
        if self.version == 1:
            scopes = scopes.union(*(EARLIER.get(scope, frozenset()) for scope in scopes))
        accounts = None if self.accounts is None else frozenset(account.lower() for account in self.accounts)
        limits = self.model_dump(include={"actors", "actor_tasks", "max_usd_per_run", "max_usd_per_day"})
        return Rights(scopes=scopes, accounts=accounts, **limits)


def name_in(secret: str) -> str:
    """Return the name in a key, `actorline_{name}_{256 random bits}`; "" if it isn't one of ours."""
    prefix, _, rest = secret.partition("_")
    return rest.partition("_")[0] if prefix == PREFIX else ""


def create_key(ledger: Ledger, name: str, rights: Rights, sender: Sender) -> str:
    """Create a key and return it, the only time that it is shown. Raises Refused for a bad name, or one in use."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise Refused(
            Code.REQUEST_INVALID,
            f"A key's name must be 1 to 63 of a-z, 0-9 and -, not {name[:80]!r}. No key was created.",
        )
    secret = f"{PREFIX}_{name}_{secrets.token_urlsafe(32)}"
    key = ApiKey(name=name, sha256=digest(secret), created_at=ledger.now(), version=VERSION, **rights.model_dump())
    with ledger.redis.pipeline() as pipe:
        _note_first_key(pipe, ledger)
        pipe.hsetnx(_hash(ledger), name, key.model_dump_json())
        *_, is_new = pipe.execute()
    if not is_new:
        raise Refused(
            Code.CONFLICT,
            f"An API key named {name} already exists. Nothing was changed. Revoke it first, or choose another name.",
        )
    record(ledger, "key-created", sender, key=name, **key.described())
    return secret


@dataclass(frozen=True)
class KeyRing:
    """All keys by name. `was_used`: whether there ever was one; from then on requests without a key are refused."""

    keys: dict[str, ApiKey]
    was_used: bool


def read_keys(ledger: Ledger) -> KeyRing:
    with ledger.redis.pipeline(transaction=False) as pipe:
        pipe.hvals(_hash(ledger))
        pipe.exists(_mark(ledger))
        texts, is_marked = pipe.execute()
    keys = [ApiKey.model_validate_json(text) for text in texts]
    return KeyRing({key.name: key for key in keys}, was_used=bool(keys or is_marked))


def list_keys(ledger: Ledger) -> list[ApiKey]:
    return sorted(read_keys(ledger).keys.values(), key=lambda key: key.name)


def revoke_key(ledger: Ledger, name: str, sender: Sender) -> int:
    """Revoke a key and return how many are left. Raises Refused if no key has this name."""
    if not ledger.redis.hexists(_hash(ledger), name):
        raise Refused(
            Code.UNKNOWN_KEY, f"There is no key {name[:80]!r}. Nothing was changed. `actorline keys list` shows them."
        )
    with ledger.redis.pipeline() as pipe:
        _note_first_key(pipe, ledger)  # a key of an earlier version left none
        pipe.hdel(_hash(ledger), name)
        pipe.hlen(_hash(ledger))
        *_, left = pipe.execute()
    record(ledger, "key-revoked", sender, key=name, left=int(left))
    return int(left)


def _note_first_key(pipe: Client, ledger: Ledger) -> None:
    pipe.set(_mark(ledger), 1)


def _hash(ledger: Ledger) -> str:
    """Return `api_keys`: hash, name -> ApiKey (JSON)."""
    return ledger.name("api_keys")


def _mark(ledger: Ledger) -> str:
    """Return `api_keys_used`: string, set with the first key and never removed."""
    return ledger.name("api_keys_used")
