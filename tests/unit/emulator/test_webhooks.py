"""The emulator's webhooks: what is refused, what templates make, and which runs a webhook is for."""

import base64
import json

import pytest

from actorline.emulator.errors import ApiError
from actorline.emulator.webhook_templates import DEFAULT_PAYLOAD, check_headers, check_payload, render
from actorline.emulator.webhooks import (
    MAX_WEBHOOKS,
    AdHocOrder,
    Condition,
    Webhook,
    WebhookBook,
    parse_ad_hoc,
    parse_order,
)

GOOD = {"eventTypes": ["ACTOR.RUN.SUCCEEDED"], "requestUrl": "https://example.com/hook"}
VALUES = {
    "eventType": "ACTOR.RUN.CREATED",
    "eventData": {"actorRunId": "r1"},
    "resource": {"id": "r1", "stats": {"n": 2}},
    "userId": "u1",
    "createdAt": "2026-01-01T00:00:00.000Z",
}


def encoded(value) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_webhooks_of_a_start_are_read():
    (order,) = parse_ad_hoc(encoded([{**GOOD, "headersTemplate": '{"Authorization": "Bearer x"}'}]))
    assert (order.event_types, order.request_url) == (GOOD["eventTypes"], GOOD["requestUrl"])
    assert parse_ad_hoc(None) == []


@pytest.mark.parametrize(
    "text",
    [
        "no Base64!",
        base64.urlsafe_b64encode(json.dumps([{**GOOD, "requestUrl": "https://example.com/~~~???ÿ"}]).encode()).decode(),
        encoded("text"),
        encoded(GOOD),
        encoded([{"eventTypes": ["ACTOR.RUN.SUCCEEDED"]}]),
        encoded([{**GOOD, "eventTypes": []}]),
        encoded([{**GOOD, "eventTypes": ["ACTOR.RUN.DONE"]}]),
        encoded([{**GOOD, "requestUrl": "example.com"}]),
        encoded([{**GOOD, "condition": {"actorId": "a"}}]),
        encoded([{**GOOD, "headersTemplate": '{"X-Number": 5}'}]),
        encoded([{**GOOD, "payloadTemplate": '{"a": {{unknown}}}'}]),
        encoded([{**GOOD, "payloadTemplate": "{"}]),
    ],
    ids=range(12),
)
def test_bad_webhooks_of_a_start_are_refused(text):
    with pytest.raises(ApiError, match="webhooks") as raised:
        parse_ad_hoc(text)
    assert (raised.value.status, raised.value.type) == (400, "invalid-value")


def test_persistent_webhook_needs_a_condition():
    assert parse_order({**GOOD, "condition": {"actorId": "a"}}).condition.actor_id == "a"
    with pytest.raises(ApiError, match="condition"):
        parse_order(GOOD)


def test_default_payload_is_the_documented_one():
    assert render(DEFAULT_PAYLOAD, VALUES, in_strings=False) == VALUES


@pytest.mark.parametrize(
    ("template", "in_strings", "made"),
    [
        ('{"id": {{resource.id}}, "n": {{ resource.stats.n }}}', False, {"id": "r1", "n": 2}),
        ('{"id": "{{resource.id}}"}', False, {"id": "{{resource.id}}"}),
        ('{"id": "run {{resource.id}}"}', True, {"id": "run r1"}),
        ('{"all": "{{resource.stats}}"}', True, {"all": {"n": 2}}),
        ('{"none": {{resource.nothing.here}}}', False, {"none": None}),
        (r'{"quoted": "a \" {{x"}', False, {"quoted": 'a " {{x'}),
    ],
)
def test_templates_are_filled_in(template, in_strings, made):
    assert render(template, VALUES, in_strings=in_strings) == made


@pytest.mark.parametrize("template", ["{{unknown}}", '{"a": {{resource', '"{{unknown.id}}"'])
def test_bad_templates_are_refused(template):
    with pytest.raises(ValueError):  # noqa: PT011
        check_payload(template)


def test_headers_are_strings():
    assert check_headers('{"X-Run": {{resource.id}}}')
    with pytest.raises(ValueError, match="strings"):
        check_headers('["X-Run"]')


def make_webhook(name: str = "", **condition: str) -> Webhook:
    order = AdHocOrder.model_validate({**GOOD, **({"idempotencyKey": name} if name else {})})
    return Webhook("demo", order, Condition.model_validate(condition), is_ad_hoc=False)


def test_same_idempotency_key_gets_the_existing_webhook():
    book = WebhookBook()
    first = book.add(make_webhook("one", actorId="a"))
    assert book.add(make_webhook("one", actorId="b")) is first
    book.remove(first)
    assert book.owned("demo") == []
    assert book.add(make_webhook("one", actorId="b")) is not first


def test_too_many_webhooks_are_refused():
    book = WebhookBook()
    for _ in range(MAX_WEBHOOKS):
        book.add(make_webhook(actorId="a"))
    with pytest.raises(ApiError) as raised:
        book.add(make_webhook(actorId="a"))
    assert (raised.value.status, raised.value.type) == (403, "too-many-webhooks")
