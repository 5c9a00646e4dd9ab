"""Sessions: who signed in with an API key. Redis has a digest of each cookie, so that signing out works at once."""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pydantic import BaseModel

from actorline.ledger.ledger import Ledger

SESSION_SECS: Final = 12 * 3600  # without a request; a working day needs one sign-in


class SignIn(BaseModel):
    """Whose API key opened a session; the key's rights are looked up at each request."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Sessions:
    ledger: Ledger

    def open(self, sign_in: SignIn) -> str:
        """Open a session, and return the cookie that proves it."""
        cookie = secrets.token_urlsafe(32)
        self.ledger.redis.set(self._name(cookie), sign_in.model_dump_json(), ex=SESSION_SECS)
        return cookie

    def find(self, cookie: str) -> SignIn | None:
        """Return whose session it is, and keep it open."""
        text = self.ledger.redis.getex(self._name(cookie), ex=SESSION_SECS)
        return SignIn.model_validate_json(text) if text else None

    def close(self, cookie: str) -> None:
        self.ledger.redis.delete(self._name(cookie))

    def _name(self, cookie: str) -> str:
        return self.ledger.name("signed_in", sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest())
