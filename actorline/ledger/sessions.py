"""Sessions: who signed in with an API key. Redis has a digest of each cookie, so that signing out works at once."""

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from pydantic import BaseModel

from actorline.ledger.ledger import Ledger

SESSION_SECS: Final = 12 * 3600  # without a request; a working day needs one sign-in
SESSIONS_MAX: Final = 100  # of one API key: one that signs in again and again must not fill Redis


class SignIn(BaseModel):
    """Whose API key opened a session; the key's rights are looked up at each request."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Sessions:
    ledger: Ledger

    def open(self, sign_in: SignIn) -> str:
        """Open a session, and return the cookie that proves it. The key's oldest end where it has too many."""
        cookie = secrets.token_urlsafe(32)
        name, of_key = self._name(cookie), self.ledger.name("sessions_of", sign_in.name or "(operator)")
        with self.ledger.redis.pipeline() as pipe:
            pipe.set(name, sign_in.model_dump_json(), ex=SESSION_SECS)
            pipe.rpush(of_key, name)
            pipe.expire(of_key, SESSION_SECS)
            pipe.lrange(of_key, 0, -SESSIONS_MAX - 1)
            pipe.ltrim(of_key, -SESSIONS_MAX, -1)
            *_, oldest, _ = pipe.execute()
        if oldest:
            self.ledger.redis.delete(*oldest)
        return cookie

    def find(self, cookie: str) -> SignIn | None:
        """Return whose session it is, and keep it open."""
        text = self.ledger.redis.getex(self._name(cookie), ex=SESSION_SECS)
        return SignIn.model_validate_json(text) if text else None

    def close(self, cookie: str) -> None:
        self.ledger.redis.delete(self._name(cookie))

    def _name(self, cookie: str) -> str:
        return self.ledger.name("signed_in", sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest())
