"""Adding and removing hooks: in the ledger, and as webhooks on the platform."""

import contextlib
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from actorline.errors import Code, Refused, SettingsError
from actorline.identifiers import AccountName, JobKey
from actorline.jobs.document.parse import parse_document
from actorline.ledger.ledger import Ledger
from actorline.notify.notice import check_notify
from actorline.orders.submit import fill_sink
from actorline.platform.actors import get_actor, get_actor_task
from actorline.platform.client import Platform
from actorline.platform.errors import NotFound, PlatformError, PlatformUnavailable
from actorline.platform.webhooks import RUN_ENDED, Receiver, create_webhook, delete_webhook, get_webhook
from actorline.settings import Settings
from actorline.webhooks.hooks import Hook, Hooks, Target
from actorline.webhooks.receiver import receiver

SET_PER_RUN: Final = ("key", "actor", "actor_task", "run_id", "dataset_id", "own")


@dataclass(frozen=True)
class HookMaker:
    """Adds and removes hooks. Its methods raise PlatformError and redis.RedisError; all are safe to repeat."""

    ledger: Ledger
    platform: Platform
    settings: Settings
    installation: str

    def add(self, account: AccountName, target: Target, name: str, template: Mapping[str, Any]) -> Hook:
        """Have each run of an Actor or Actor task collected with the template, from the next end of one on.

        There is one hook per target: adding it again changes its template, its address and its secret. Raises
        SettingsError without a public address, and NotFound if the platform has no such target.
        """
        if self.settings.public_url is None:
            raise SettingsError(
                "ACTORLINE_PUBLIC_URL is not set, so the platform can't reach the gateway. Nothing was registered. "
                "Set it, also where the gateway and the workers run."
            )
        look_up = get_actor if target == "actor" else get_actor_task
        target_id = look_up(self.platform, name).id
        hook_id = _digest(account.lower(), target, target_id)
        before = Hooks(self.ledger).find(hook_id)
        is_good = before is not None and (before.webhook_id is None or self._is_there(before.webhook_id))
        to = receiver(self.ledger, self.settings, hook_id)
        assert to is not None  # noqa: S101 - there is a public address
        hook = Hook(
            id=hook_id,
            account=account,
            target=target,
            name=name,
            target_id=target_id,
            template=dict(template),
            serial=before.serial if before and is_good else secrets.token_hex(8),
            webhook_id=before.webhook_id if before and is_good else None,
            added_at=self.ledger.now(),
        )
        return self._register(hook, before, to)

    def remove(self, hook: Hook) -> None:
        if hook.webhook_id:
            self._delete(hook.webhook_id)
        Hooks(self.ledger).forget(hook.id)

    def _register(self, hook: Hook, before: Hook | None, to: Receiver) -> Hook:
        """Register the hook. Its idempotency key is stored before the request, so a repeat makes no second webhook.

        The key has a digest of address and secret: when they change, a new webhook replaces the old one.
        """
        hooks = Hooks(self.ledger)
        hooks.put(hook)
        key = f"{self.installation}-{hook.id}-{hook.serial}-{_digest(to.url, to.secret.get_secret_value())}"
        try:
            webhook = create_webhook(self.platform, to, condition=hook.condition, events=RUN_ENDED, idempotency_key=key)
        except PlatformError as error:
            if not isinstance(error, PlatformUnavailable):  # certainly none was made
                hooks.put(before) if before else hooks.forget(hook.id)
            raise
        if hook.webhook_id and hook.webhook_id != webhook.id:
            self._delete(hook.webhook_id)
        made = hook.model_copy(update={"webhook_id": webhook.id})
        hooks.put(made)
        return made

    def _is_there(self, webhook_id: str) -> bool:
        try:
            get_webhook(self.platform, webhook_id)
        except NotFound:
            return False
        return True

    def _delete(self, webhook_id: str) -> None:
        with contextlib.suppress(NotFound):
            delete_webhook(self.platform, webhook_id)


def check_template(template: Mapping[str, Any], settings: Settings) -> AccountName:
    """Return the account that the template names. Raises Refused if a run couldn't be ordered with it."""
    given = [name for name in SET_PER_RUN if name in template]
    if given:
        raise Refused(
            Code.DOCUMENT_INVALID,
            f"The template must not have {', '.join(given)}: that is set for each run. Nothing was registered.",
        )
    first, second = (parse_document({**template, "run_id": run_id, "key": run_id}) for run_id in ("run1", "run2"))
    check_notify(first, settings)
    one, other = (fill_sink(each, JobKey(str(each.key)), 0, settings) for each in (first, second))
    if one == other and "{run_id}" not in one:
        raise Refused(
            Code.SINK_REFUSED,
            "The sink is the same for every run. Nothing was registered. Put {key} or {run_id} into sink.url.",
        )
    return first.account


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
