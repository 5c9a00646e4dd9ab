"""What the platform's webhooks come to: the proof of who sends, and a note in the ledger before they are answered."""

import hmac
from dataclasses import dataclass
from functools import cached_property

from pydantic import SecretStr

from actorline.gateway.starting import Starter
from actorline.jobs.hints import Hint, LookNow, take_hint
from actorline.jobs.ledger import Ledger
from actorline.jobs.receiver import webhook_secret
from actorline.settings import Settings


@dataclass
class HintDesk:
    """The secret and the installation's name are read once, at the first webhook."""

    settings: Settings
    ledger: Ledger
    starter: Starter

    def is_genuine(self, secret: str) -> bool:
        """Compared in constant time. Raises what Redis raises."""
        return hmac.compare_digest(self._secret.get_secret_value().encode(), secret.encode())

    def take(self, hint: Hint) -> None:
        """Raises redis.RedisError and NotDurableError: then it has to come again."""
        taken = take_hint(self.ledger, self._installation, hint)
        if isinstance(taken, LookNow):
            self.starter.start(taken.key)
        elif taken:
            self.starter.look_at(taken)

    @cached_property
    def _secret(self) -> SecretStr:
        return webhook_secret(self.ledger, self.settings)

    @cached_property
    def _installation(self) -> str:
        return self.ledger.installation(self.settings.installation)
