"""API keys: who may order, read and stop jobs over HTTP. The ledger's Redis holds their hashes, never the keys."""

import hashlib
import hmac
import re
import secrets
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from actorline.errors import Code, Refused
from actorline.jobs.ledger import Ledger

NAME_PATTERN: Final = r"^[a-z0-9][a-z0-9-]{0,62}$"
PREFIX: Final = "actorline"


class Scope(StrEnum):
    SUBMIT = "submit"  # order a job, or an ended one again
    READ = "read"
    CANCEL = "cancel"
    METRICS = "metrics"  # the figures of all jobs, whatever accounts the key has


class ApiKey(BaseModel):
    """What is kept of a key. `accounts`: aliases whose jobs it may order and see. `created_at`: unix seconds."""

    name: str
    sha256: str
    scopes: frozenset[Scope]
    accounts: frozenset[str]
    created_at: float

    def is_opened_by(self, secret: str) -> bool:
        """Compared in constant time. A plain hash serves: 256 random bits can't be guessed from it."""
        return hmac.compare_digest(self.sha256, digest(secret))


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def name_in(secret: str) -> str:
    """The name that a key carries: `actorline_{name}_{256 random bits}`; "" if it is none of ours."""
    prefix, _, rest = secret.partition("_")
    return rest.partition("_")[0] if prefix == PREFIX else ""


def create_key(ledger: Ledger, name: str, scopes: frozenset[Scope], accounts: frozenset[str]) -> str:
    """Make a key and answer it: the only time that it is seen. Raises Refused for a bad name, or one that is taken."""
    if not re.fullmatch(NAME_PATTERN, name):
        message = f"A key's name has 1 to 63 of a-z, 0-9 and -, not {name[:80]!r}. No key was made."
        raise Refused(Code.REQUEST_INVALID, message)
    secret = f"{PREFIX}_{name}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        name=name, sha256=digest(secret), scopes=scopes, accounts=accounts, created_at=ledger.now()
    )  # fmt: skip
    if not ledger.redis.hsetnx(_hash(ledger), name, key.model_dump_json()):
        message = f"There is a key {name} already. Nothing was changed. Revoke it first, or take another name."
        raise Refused(Code.CONFLICT, message)
    return secret


def list_keys(ledger: Ledger) -> list[ApiKey]:
    return [ApiKey.model_validate_json(text) for _, text in sorted(ledger.redis.hgetall(_hash(ledger)).items())]


def revoke_key(ledger: Ledger, name: str) -> None:
    """Take a key back. Raises Refused if there is none of this name."""
    if not ledger.redis.hdel(_hash(ledger), name):
        message = f"There is no key {name[:80]!r}. Nothing was changed. `actorline keys list` shows them."
        raise Refused(Code.UNKNOWN_KEY, message)


def _hash(ledger: Ledger) -> str:
    """`api_keys`: hash, name -> ApiKey (JSON)."""
    return ledger.name("api_keys")
