"""Webhooks: what the platform sends us when a run begins or ends, for one run (ad hoc) or for all of an Actor.

Source: `docs/platform-facts.md#ad-hoc-webhooks`, `docs/platform-facts.md#lasting-webhooks`.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from pydantic import Field, SecretStr

from actorline.platform.client import Platform
from actorline.platform.json_text import parse_json
from actorline.platform.resource import Resource, path_segment
from actorline.platform.runs import RunMeta

RUN_CREATED: Final = "ACTOR.RUN.CREATED"
RUN_ENDED: Final = ("ACTOR.RUN.SUCCEEDED", "ACTOR.RUN.FAILED", "ACTOR.RUN.ABORTED", "ACTOR.RUN.TIMED_OUT")
RUN_EVENTS: Final = (RUN_CREATED, *RUN_ENDED, "ACTOR.RUN.RESURRECTED")

DISPATCH_HEADER: Final = "X-Apify-Webhook-Dispatch-Id"
"""The same on each repetition of one dispatch."""


@dataclass(frozen=True)
class Receiver:
    """Where the platform sends to, and the secret that it shows there as a bearer token: webhooks aren't signed."""

    url: str
    secret: SecretStr

    def described(self, events: Sequence[str], idempotency_key: str) -> dict[str, object]:
        """Return the fields that both kinds of webhook have; they hold the secret."""
        headers = {"Authorization": f"Bearer {self.secret.get_secret_value()}"}
        return {
            "eventTypes": list(events),
            "requestUrl": self.url,
            "headersTemplate": json.dumps(headers),
            "idempotencyKey": idempotency_key,
        }


class LastDispatch(Resource):
    """OpenAPI, components/schemas/ExampleWebhookDispatch."""

    status: str
    """ACTIVE, SUCCEEDED or FAILED."""
    finished_at: datetime | None = None


class Webhook(Resource):
    """OpenAPI, components/schemas/Webhook, without its templates, which hold the secret."""

    id: str
    request_url: str | None = None
    last_dispatch: LastDispatch | None = None


class EventData(Resource):
    actor_run_id: str | None = None


class EventResource(Resource):
    """Of the run as it was when the event was sent, only what shows whose it is."""

    meta: RunMeta = Field(default_factory=RunMeta)


class RunEvent(Resource):
    """The default payload of a webhook. Who knows the secret can write one: a hint, that proves nothing."""

    event_type: str
    event_data: EventData = Field(default_factory=EventData)
    resource: EventResource = Field(default_factory=EventResource)

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Return the event of a request's body, as leniently as all of the platform's texts are read. Raises
        ValidationError if it is none.
        """
        return cls.model_validate(parse_json(body))


def adhoc_query(receiver: Receiver, idempotency_key: str) -> dict[str, str]:
    """Return the query parameter of a start that makes the platform tell the receiver what becomes of the run."""
    webhook = receiver.described(RUN_EVENTS, idempotency_key)
    text = json.dumps([webhook], separators=(",", ":"))
    return {"webhooks": base64.b64encode(text.encode()).decode()}


def create_webhook(
    platform: Platform, receiver: Receiver, *, condition: Mapping[str, str], events: Sequence[str], idempotency_key: str
) -> Webhook:
    """Make the webhook, or return the one that has the key already. `condition`: `actorId` or `actorTaskId`.

    Raises Forbidden, type `too-many-webhooks`, where the account has its 100: `docs/platform-facts.md#webhook-limit`.
    """
    body = {**receiver.described(events, idempotency_key), "condition": dict(condition)}
    return Webhook.from_platform(platform.post_json("webhooks", body))


def get_webhook(platform: Platform, webhook_id: str) -> Webhook:
    """Return the webhook. Raises NotFound if it was removed."""
    return Webhook.from_platform(platform.get_data(f"webhooks/{path_segment(webhook_id)}"))


def delete_webhook(platform: Platform, webhook_id: str) -> None:
    """Delete the webhook. Raises NotFound if it is gone already."""
    platform.delete(f"webhooks/{path_segment(webhook_id)}")
