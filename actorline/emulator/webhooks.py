"""Webhooks as they are made: ad hoc with a start, or for an Actor, an Actor task or a run, and what is refused.

Source: `docs/platform-facts.md#ad-hoc-webhooks`, `docs/platform-facts.md#lasting-webhooks`.
"""

import base64
import binascii
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from actorline.emulator.clock import now
from actorline.emulator.errors import ApiError, invalid_value
from actorline.emulator.ids import random_id
from actorline.emulator.profile import mistakes
from actorline.emulator.runs import Run
from actorline.emulator.webhook_templates import check_headers, check_payload

MAX_WEBHOOKS: Final = 100
"""Of one user, without the ad-hoc ones: `docs/platform-facts.md#webhook-limit`."""

EventType = Literal[
    "ACTOR.BUILD.ABORTED",
    "ACTOR.BUILD.CREATED",
    "ACTOR.BUILD.FAILED",
    "ACTOR.BUILD.SUCCEEDED",
    "ACTOR.BUILD.TIMED_OUT",
    "ACTOR.RUN.ABORTED",
    "ACTOR.RUN.CREATED",
    "ACTOR.RUN.FAILED",
    "ACTOR.RUN.RESURRECTED",
    "ACTOR.RUN.SUCCEEDED",
    "ACTOR.RUN.TIMED_OUT",
    "TEST",
]


def _http_url(url: str) -> str:
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise ValueError("must be an http or https URL")
    return url


class _Fields(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Condition(_Fields):
    actor_id: str | None = None
    actor_task_id: str | None = None
    actor_run_id: str | None = None


class AdHocOrder(_Fields):
    """What a start asks for."""

    event_types: Annotated[list[EventType], Field(min_length=1)]
    request_url: Annotated[str, AfterValidator(_http_url)]
    payload_template: Annotated[str | None, AfterValidator(check_payload)] = None
    headers_template: Annotated[str | None, AfterValidator(check_headers)] = None
    should_interpolate_strings: bool | None = None
    idempotency_key: str | None = None
    ignore_ssl_errors: bool | None = None
    do_not_retry: bool | None = None


class WebhookOrder(AdHocOrder):
    """What `POST /v2/webhooks` asks for."""

    condition: Condition
    is_ad_hoc: bool | None = None
    description: str | None = None


_AD_HOC = TypeAdapter(list[AdHocOrder])


@dataclass(frozen=True)
class Webhook:
    username: str
    order: AdHocOrder
    condition: Condition
    is_ad_hoc: bool
    id: str = field(default_factory=random_id)
    created_at: float = field(default_factory=now)

    def is_for(self, run: Run) -> bool:
        condition, task = self.condition, run.actor_task
        return self.username == run.username and (
            condition.actor_run_id == run.id
            or condition.actor_id == run.actor.id
            or (task is not None and condition.actor_task_id == task.id)
        )


class WebhookBook:
    """Every webhook there is, the oldest first."""

    def __init__(self) -> None:
        self._by_id: dict[str, Webhook] = {}
        self._by_key: dict[tuple[str, str], Webhook] = {}
        self._of_run: dict[str, list[Webhook]] = defaultdict(list)
        self._of_targets: dict[str, Webhook] = {}

    def owned(self, username: str) -> list[Webhook]:
        return [webhook for webhook in self._by_id.values() if webhook.username == username]

    def of(self, run: Run) -> list[Webhook]:
        """Return those that are for a run."""
        candidates = (*self._of_run.get(run.id, ()), *self._of_targets.values())
        return [webhook for webhook in candidates if webhook.is_for(run)]

    def find(self, webhook_id: str | None, username: str) -> Webhook | None:
        found = self._by_id.get(webhook_id or "")
        return found if found and found.username == username else None

    def remove(self, webhook: Webhook) -> None:
        self._by_id.pop(webhook.id)
        self._of_targets.pop(webhook.id, None)
        if webhook.condition.actor_run_id:
            self._of_run[webhook.condition.actor_run_id].remove(webhook)
        if webhook.order.idempotency_key:
            del self._by_key[webhook.username, webhook.order.idempotency_key]

    def add(self, webhook: Webhook) -> Webhook:
        """Add a webhook, or return the one that has its idempotency key already.

        Raises `ApiError`: the user has too many.
        """
        key = webhook.order.idempotency_key
        if key and (known := self._by_key.get((webhook.username, key))):
            return known
        if not webhook.is_ad_hoc and self._persistent(webhook.username) >= MAX_WEBHOOKS:
            raise ApiError(403, "too-many-webhooks", f"You can have at most {MAX_WEBHOOKS} webhooks")
        self._by_id[webhook.id] = webhook
        if key:
            self._by_key[webhook.username, key] = webhook
        if webhook.condition.actor_run_id:
            self._of_run[webhook.condition.actor_run_id].append(webhook)
        else:
            self._of_targets[webhook.id] = webhook
        return webhook

    def _persistent(self, username: str) -> int:
        return sum(not each.is_ad_hoc for each in self.owned(username))

    def attach(self, orders: list[AdHocOrder], run: Run) -> None:
        """Make the ad-hoc webhooks of a run that was started just now."""
        for order in orders:
            self.add(Webhook(run.username, order, Condition(actorRunId=run.id), is_ad_hoc=True))


def parse_ad_hoc(text: str | None) -> list[AdHocOrder]:
    """Return the parameter `webhooks` of a start: standard Base64 of a JSON array.

    Raises `ApiError`: it isn't.
    """
    if text is None:
        return []
    try:
        return _AD_HOC.validate_python(orjson.loads(base64.b64decode(text, validate=True)))
    except (binascii.Error, orjson.JSONDecodeError):
        raise invalid_value("webhooks", "Base64 of a JSON array") from None
    except ValidationError as error:
        raise invalid_value("webhooks", f"webhooks as the reference describes them; {mistakes(error)}") from None


def parse_order(body: Any) -> WebhookOrder:
    """Parse a webhook. Raises `ApiError` if the body isn't one."""
    try:
        return WebhookOrder.model_validate(body)
    except ValidationError as error:
        raise ApiError(400, "invalid-input", f"The webhook is invalid: {mistakes(error)}") from None
