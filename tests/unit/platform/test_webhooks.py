"""Webhooks: what a start carries, and what is read of an event."""

import base64
import json

import pytest
from pydantic import SecretStr, ValidationError

from actorline.platform.webhooks import Receiver, RunEvent, adhoc_query

SECRET = "s" * 40
RECEIVER = Receiver("https://jobs.example.com/v1/webhooks/apify", SecretStr(SECRET))
ALL_OF_A_RUN = {
    f"ACTOR.RUN.{event}" for event in ("CREATED", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RESURRECTED")
}


def test_start_carries_one_webhook_for_all_events_of_the_run():
    text = adhoc_query(RECEIVER, "al-1f00aa/9f86d081884c7d65.1")["webhooks"]
    (webhook,) = json.loads(base64.b64decode(text, validate=True))
    assert set(webhook.pop("eventTypes")) == ALL_OF_A_RUN
    assert json.loads(webhook.pop("headersTemplate")) == {"Authorization": f"Bearer {SECRET}"}
    assert webhook == {"requestUrl": RECEIVER.url, "idempotencyKey": "al-1f00aa/9f86d081884c7d65.1"}


def test_secret_shows_in_no_repr():
    assert SECRET not in repr(RECEIVER)


@pytest.mark.parametrize(
    ("payload", "run_id", "user_agent"),
    [
        ({"eventType": "TEST"}, None, None),
        ({"eventType": "ACTOR.RUN.CREATED", "eventData": {"actorRunId": "r1", "more": 1}}, "r1", None),
        ({"eventType": "X", "eventData": {"actorRunId": "r1"}, "resource": {"meta": {"userAgent": "u"}}}, "r1", "u"),
        ({"eventType": "X", "eventData": None, "resource": None}, None, None),
        ({"eventType": "X", "eventData": "run"}, None, None),
        ({"eventType": "X", "eventData": {}, "resource": {"meta": None, "status": "SUCCEEDED"}}, None, None),
    ],
)
def test_event_is_read_for_its_run_only(payload, run_id, user_agent):
    event = RunEvent.read(json.dumps(payload).encode())
    assert (event.event_data.actor_run_id, event.resource.meta.user_agent) == (run_id, user_agent)
    assert "SUCCEEDED" not in repr(event)


def test_event_whose_text_javascript_has_cut_in_a_character_is_read():
    body = rb'{"eventType": "X", "eventData": {"actorRunId": "r1"}, "resource": {"statusMessage": "Done \ud83d"}}'
    assert RunEvent.read(body).event_data.actor_run_id == "r1"


@pytest.mark.parametrize("payload", [[], "text", {}, {"eventType": 5}])
def test_what_is_no_event_is_refused(payload):
    with pytest.raises(ValidationError):
        RunEvent.read(json.dumps(payload).encode())
