import json

import pytest

from actorline.emulator.errors import ApiError
from actorline.emulator.params import Params
from actorline.emulator.profile import Actor, ActorTask, Script, StartError
from actorline.emulator.request_body import Body
from actorline.emulator.starts import StartRequest, start_run

ACTOR = Actor(username="ann", name="scraper", builds={"latest": "1.2.3", "beta": "1.3.1"}, memory_mbytes=2048)
TASK = ActorTask(
    username="ann",
    name="daily",
    actor="ann~scraper",
    input={"a": 1, "b": {"c": 2}},
    options={"memory_mbytes": 512, "build": "beta", "max_items": 7},
)
JSON = "application/json; charset=utf-8"


def body(content=b"", content_type=JSON):
    return Body(content_type, None, content, content)


def start(query=None, content=b"", content_type=JSON, *, actor=ACTOR, task=None):
    request = StartRequest("ann", actor, task, Params(query or {}), body(content, content_type), "tester/1.0")
    return start_run(request)


def input_of(run):
    return run.records.get("INPUT", run.life, run.life.created_at)


def test_options_come_from_query_then_task_then_actor():
    run = start({"timeout": "60", "maxTotalChargeUsd": "2.5"}, task=TASK).options
    assert (run.timeout_secs, run.memory_mbytes, run.build, run.build_number) == (60, 512, "beta", "1.3.1")
    assert (run.max_items, run.max_total_charge_usd) == (7, 2.5)
    run = start({"memory": "32768", "build": "1.2.3", "maxItems": "3"}, task=TASK).options
    assert (run.memory_mbytes, run.build, run.build_number, run.max_items) == (32768, "1.2.3", "1.2.3", 3)
    run = start().options
    assert (run.timeout_secs, run.memory_mbytes, run.build, run.max_items) == (3600, 2048, "latest", None)


@pytest.mark.parametrize(
    ("query", "status", "type_"),
    [
        ({"memory": "1000"}, 400, "invalid-value"),
        ({"memory": "64"}, 400, "invalid-value"),
        ({"memory": "65536"}, 400, "invalid-value"),
        ({"timeout": "-1"}, 400, "invalid-value"),
        ({"restartOnError": "perhaps"}, 400, "invalid-value"),
        ({"forcePermissionLevel": "ROOT"}, 400, "invalid-value"),
        ({"maxItems": "0"}, 400, "max-items-must-be-greater-than-zero"),
        ({"maxTotalChargeUsd": "0"}, 400, "max-total-charge-usd-must-be-greater-than-zero"),
        ({"build": "gamma"}, 403, "unknown-build-tag"),
        ({"build": "9.9.9"}, 403, "build-not-found"),
    ],
)
def test_wrong_options_are_refused_in_the_platforms_words(query, status, type_):
    with pytest.raises(ApiError) as refusal:
        start(query)
    assert (refusal.value.status, refusal.value.type) == (status, type_)


def test_an_actors_input_is_stored_as_it_came():
    assert input_of(start(content=b"\x00\x01", content_type="image/png")).body == b"\x00\x01"
    stored = input_of(start(content=b'{"x": 1}'))
    assert (stored.body, stored.content_type) == (b'{"x": 1}', JSON)
    assert input_of(start()) is None


def test_secret_fields_of_an_input_are_stored_encrypted():
    actor = ACTOR.model_copy(update={"script": Script(secret_fields=("password", "cookies", "missing"))})
    stored = json.loads(input_of(start(content=b'{"password":"p","cookies":[1],"user":"u"}', actor=actor)).body)
    assert {name: value.partition(":")[0] for name, value in stored.items()} == {
        "password": "ENCRYPTED_VALUE",
        "cookies": "ENCRYPTED_JSON",
        "user": "u",
    }
    assert input_of(start(content=b"[1]", actor=actor)).body == b"[1]"


def test_a_tasks_input_is_overridden_property_by_property():
    assert json.loads(input_of(start(content=b'{"b":3,"d":4}', task=TASK)).body) == {"a": 1, "b": 3, "d": 4}
    assert json.loads(input_of(start(task=TASK)).body) == TASK.input


@pytest.mark.parametrize(
    ("content", "content_type", "type_"),
    [
        (b"[1]", JSON, "input-json-not-object"),
        (b"{", JSON, "run-input-body-not-valid-json"),
        (b"x=1", "text/plain", "invalid-content-type-header"),
    ],
)
def test_a_tasks_input_must_be_an_object(content, content_type, type_):
    with pytest.raises(ApiError) as refusal:
        start(content=content, content_type=content_type, task=TASK)
    assert (refusal.value.status, refusal.value.type) == (400, type_)


def test_the_input_can_script_its_run():
    actor = ACTOR.model_copy(update={"script": Script(items=5, seed=9)})
    run = start(content=b'{"emulate":{"items":3,"final_status":"FAILED"}}', actor=actor)
    assert (run.life.script.items, run.life.script.final_status, run.life.script.seed) == (3, "FAILED", 9)


def test_an_unknown_script_field_is_refused_by_name():
    with pytest.raises(ApiError, match="duration") as refusal:
        start(content=b'{"emulate":{"duration":3}}')
    assert (refusal.value.status, refusal.value.type) == (400, "invalid-input")


def test_an_actor_that_may_not_start_says_why():
    error = StartError(status=403, type="full-permission-actor-not-approved", message="Approve it first")
    with pytest.raises(ApiError, match="Approve it first") as refusal:
        start(actor=ACTOR.model_copy(update={"start_error": error}))
    assert (refusal.value.status, refusal.value.type) == (403, "full-permission-actor-not-approved")
