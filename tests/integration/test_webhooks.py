"""The platform tells of a run over HTTP: the job goes on at once; what is told is not believed, nor done twice."""

import json
import subprocess
import sys
import urllib.error
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests
from gateway_process import Gateway, running_gateway
from real_parts import TOKEN, Line, free_port, running_line, running_workers, wait_for

SECRET = "s" * 40
PATH = "/v1/webhooks/apify"
NEVER_POLLED = {"poll_interval_secs": 600}


@pytest.fixture(scope="module")
def gateway(valkey, emulator, tmp_path_factory):
    """A line that the platform can reach, and its door."""
    port = free_port()
    settings = {"public_url": f"http://127.0.0.1:{port}", "webhook_secret": SECRET, "start_settle_secs": "90"}
    settings["log_level"] = "DEBUG"
    with (
        running_line(valkey, emulator, tmp_path_factory.mktemp("webhooks"), "webhooks", **settings) as line,
        running_gateway(line, "--port", str(port)) as gateway,
    ):
        yield gateway


@pytest.fixture
def manner(emulator):
    """Sets how the platform sends webhooks, until the test's end."""
    yield lambda **fields: emulator._send("POST", "/emulator/webhooks", fields)
    emulator._send("DELETE", "/emulator/webhooks")


def start_elsewhere(line: Line, actor: str) -> str:
    """Somebody else starts a run; returns its id."""
    url = f"{line.emulator.url}/v2/actors/{actor.replace('/', '~')}/runs"
    response = requests.post(url, json={}, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
    return response.json()["data"]["id"]


def event(run_id: str, kind: str = "SUCCEEDED", **more: Any) -> dict[str, Any]:
    return {"eventType": f"ACTOR.RUN.{kind}", "eventData": {"actorRunId": run_id}, **more}


def post_event(gateway: Gateway, payload: Any, secret: str = SECRET, dispatch_id: str = "", path: str = PATH) -> int:
    headers = {"Authorization": f"Bearer {secret}", "X-Apify-Webhook-Dispatch-Id": dispatch_id or uuid.uuid4().hex}
    return gateway.http.post(path, json=payload, headers=headers).status_code


def dispatches_of(line: Line, run_id: str) -> list[dict[str, Any]]:
    found = line.emulator.get("/v2/webhook-dispatches?desc=1&limit=50")["data"]["items"]
    return [dispatch for dispatch in found if dispatch["eventData"]["actorRunId"] == run_id]


def webhook_of(line: Line, webhook_id: str) -> dict[str, Any]:
    return line.emulator.get(f"/v2/webhooks/{webhook_id}")["data"]


def looks_at(line: Line, run_id: str) -> int:
    return len(line.emulator.requests("GET", f"/v2/actor-runs/{run_id}"))


def running_job(gateway: Gateway, key: str, **script: Any) -> str:
    """A job whose run goes on and isn't looked at; returns the run's id."""
    actor = gateway.line.emulator.actor(key, items=5, duration_secs=600, **script)
    gateway.line.submit({"key": key, "actor": actor, **NEVER_POLLED})
    job = wait_for(
        lambda: (job := gateway.line.ledger.load(key)) and job.run.status == "RUNNING" and job, what="the first look"
    )
    return job.run.id


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_job_is_delivered_right_after_its_run_ends(gateway, mode):
    line = gateway.line
    actor = line.emulator.actor(f"told-{mode}", items=200, duration_secs=2)
    result = line.submit({"key": f"told-{mode}", "actor": actor, "mode": mode, **NEVER_POLLED}).get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 200)
    assert len(line.emulator.starts(actor)) == (1 if mode == "async" else 0)
    reported = wait_for(
        lambda: (found := dispatches_of(line, result["run_id"])) and len(found) == 2 and found, what="two dispatches"
    )
    wait_for(lambda: all(each["status"] == "SUCCEEDED" for each in dispatches_of(line, result["run_id"])), what="200s")
    assert {each["eventType"] for each in reported} == {"ACTOR.RUN.CREATED", "ACTOR.RUN.SUCCEEDED"}


def test_lost_start_reply_ends_with_the_runs_own_status(gateway, faults):
    """The list of runs doesn't show it for a minute, and the settle time is longer than the test."""
    line = gateway.line
    actor = line.emulator.actor("unclear", items=50, duration_secs=1, list_lag_secs=60)
    faults({"method": "POST", "nth": 1, "action": "reset_after", "path_regex": "/demo~unclear/runs$"})
    result = line.submit({"key": "unclear", "actor": actor, **NEVER_POLLED}).get(timeout=120)
    assert (result["state"], result["items"], result["adopted"]) == ("DELIVERED", 50, True)
    assert len(line.emulator.starts(actor)) == 1
    assert "start-unclear" in line.events("unclear")


def test_doubled_and_disordered_events_deliver_once(gateway, manner):
    line = gateway.line
    manner(copies=5, shuffle=True, delay_secs=1)
    actor = line.emulator.actor("doubled", items=200, duration_secs=0.5)
    result = line.submit({"key": "doubled", "actor": actor, **NEVER_POLLED}).get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 200)
    calls = wait_for(
        lambda: (
            len(found := [call for each in dispatches_of(line, result["run_id"]) for call in each["calls"]]) == 10
            and found
        ),
        what="five copies of both events",
    )
    assert {call["responseStatus"] for call in calls} == {200}
    assert len(line.emulator.runs_of(actor)) == 1
    assert line.events("doubled").count("ended") == 1


def test_event_that_comes_again_is_taken_once(gateway):
    run_id = running_job(gateway, "again")
    before = looks_at(gateway.line, run_id)
    assert post_event(gateway, event(run_id, "RESURRECTED"), dispatch_id="the-same") == 200
    wait_for(lambda: looks_at(gateway.line, run_id) == before + 1, what="a look at the run")
    for _ in range(20):
        assert post_event(gateway, event(run_id, "RESURRECTED"), dispatch_id="the-same") == 200
    assert post_event(gateway, event(run_id, "RESURRECTED"), dispatch_id="another") == 200
    wait_for(lambda: looks_at(gateway.line, run_id) == before + 2, what="a look for the other event, and none before")
    gateway.line.cancel("again")


def test_event_that_lies_is_not_believed(gateway):
    """It says that the run has failed, with other storages. The platform is asked, and again: its response may lag."""
    run_id = running_job(gateway, "lied-about")
    before = looks_at(gateway.line, run_id)
    lie = {"id": run_id, "status": "FAILED", "defaultDatasetId": "other", "meta": {"userAgent": "somebody"}}
    assert post_event(gateway, event(run_id, "FAILED", resource=lie)) == 200
    wait_for(lambda: looks_at(gateway.line, run_id) >= before + 3, what="looks at the run")
    job = gateway.line.ledger.load("lied-about")
    assert (job.state, job.run.status) == ("RUNNING", "RUNNING")
    assert job.run.dataset_id == gateway.line.emulator.run(run_id)["defaultDatasetId"]
    gateway.line.cancel("lied-about")


@pytest.mark.parametrize("secret", ["", "x" * 40, SECRET[:-1], TOKEN, "é" * 40], ids=str)
def test_wrong_secret_is_refused_before_anything_is_read(gateway, secret):
    headers = {"Authorization": f"Bearer {secret}".encode()} if secret else {}
    response = gateway.http.post(PATH, content=b"no JSON at all", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "auth")
    assert gateway.http.post(f"{PATH}/{secret or 'x'}", content=b"no JSON at all").status_code == 401


def test_secret_in_the_path_serves_where_no_header_can_be_sent(gateway):
    response = gateway.http.post(f"{PATH}/{SECRET}", json=event("nobodysRun"))
    assert response.status_code == 200


@pytest.mark.parametrize(
    "payload",
    [
        event("nobodysRun"),
        event("../../etc"),
        event("x" * 10_000),
        {"eventType": "TEST", "eventData": {}, "resource": {}},
        {"eventType": "ACTOR.BUILD.CREATED", "eventData": {"actorId": "a", "actorBuildId": "b"}},
        {"eventType": "ACTOR.RUN.OF_TOMORROW", "eventData": {"actorRunId": "nobodysRun"}, "resource": None},
        event("nobodysRun", resource={"meta": {"userAgent": "actorline/1 (al-nobody/0123456789abcdef.1)"}}),
    ],
    ids=str,
)
def test_event_of_no_use_is_answered_and_changes_nothing(gateway, payload):
    assert post_event(gateway, payload) == 200
    assert post_event(gateway, payload, path=f"{PATH}?hook=0123456789abcdef") == 200
    assert gateway.line.ledger.redis.zcard(gateway.line.ledger.name("hook_runs")) == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b'{"eventType": 1}', b"[" * 100_000], ids=repr)
def test_garbage_is_refused(gateway, body):
    response = gateway.http.post(PATH, content=body, headers={"Authorization": f"Bearer {SECRET}"})
    assert (response.status_code, response.json()["code"]) == (400, "request-invalid")


def test_oversized_payload_is_refused(gateway):
    response = gateway.http.post(PATH, content=b" " * 1_000_001, headers={"Authorization": f"Bearer {SECRET}"})
    assert response.status_code == 413


def test_event_of_an_ended_job_changes_nothing(gateway):
    line = gateway.line
    actor = line.emulator.actor("over", items=5, duration_secs=0)
    result = line.submit({"key": "over", "actor": actor, **NEVER_POLLED}).get(timeout=120)
    before = line.ledger.load("over")
    assert post_event(gateway, event(result["run_id"], "ABORTED")) == 200
    after = line.ledger.load("over")
    assert (after.state, after.epoch) == (before.state, before.epoch) == ("DELIVERED", before.epoch)


@pytest.mark.thorough
def test_receiver_that_was_down_is_told_later(own_line, emulator, manner):
    manner(backoff_secs=0.2)
    port = free_port()
    line = own_line("webhooks-down", public_url=f"http://127.0.0.1:{port}")
    actor = emulator.actor("told-later", items=20, duration_secs=600)
    with running_workers(line, "control", "fetch"):
        order = line.submit({"key": "told-later", "actor": actor, **NEVER_POLLED})
        job = wait_for(
            lambda: (job := line.ledger.load("told-later")) and job.run.status == "RUNNING" and job,
            what="the only look",
        )
        emulator.finish(job.run.id)
        wait_for(
            lambda: any(
                each["eventType"] == "ACTOR.RUN.SUCCEEDED" and each["calls"] for each in dispatches_of(line, job.run.id)
            ),
            what="a dispatch that failed",
        )
        assert line.state("told-later") == "RUNNING"
        with running_gateway(line, "--port", str(port)):
            assert order.get(timeout=120)["items"] == 20


# -- hooks


def cli(line: Line, *arguments: str, **environment: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, the JSON lines, and what was said."""
    process = subprocess.run(
        [sys.executable, "-P", "-c", "from actorline.cli import main; main()", "webhooks", *arguments, "--json"],
        env={**line.environment, **environment},
        cwd=line.home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return process.returncode, [json.loads(text) for text in process.stdout.splitlines()], process.stderr


def hooks_of(line: Line, actor: str) -> list[dict[str, Any]]:
    return [hook for hook in cli(line, "list")[1] if hook.get("actor") == actor]


@pytest.fixture
def template(gateway, tmp_path) -> Path:
    path = tmp_path / "template.json"
    path.write_text(json.dumps({"labels": {"team": "prices"}, "collect": {"records": ["OUTPUT"]}, **NEVER_POLLED}))
    return path


@pytest.mark.thorough
def test_hook_collects_each_run_once_and_leaves_ours_alone(gateway, template, manner):
    line = gateway.line
    actor = line.emulator.actor("hooked", items=30, duration_secs=0.5)
    code, (hook,), _ = cli(line, "add", actor, "--document", str(template))
    assert (code, hook["actor"]) == (0, actor)
    assert cli(line, "add", actor, "--document", str(template))[1][0]["webhook_id"] == hook["webhook_id"]

    manner(copies=3)
    ours = line.submit({"key": "hooked-ours", "actor": actor, **NEVER_POLLED})
    run_id = start_elsewhere(line, actor)
    wait_for(lambda: line.state(run_id) == "DELIVERED", what="the delivery of a run that somebody else started")
    job = line.ledger.load(run_id)
    assert (job.collection.items, job.document.labels, job.document.may_abort) == (30, {"team": "prices"}, False)
    our_run = ours.get(timeout=120)["run_id"]
    wait_for(
        lambda: (
            sum(len(each["calls"]) for run in (our_run, run_id) for each in dispatches_of(line, run)) == 3 * (3 + 1)
        ),
        what="all copies of CREATED and both SUCCEEDED of ours, and of the other run's SUCCEEDED",
    )
    wait_for(lambda: line.ledger.redis.zcard(line.ledger.name("hook_runs")) == 0, what="an end of what is noted")
    assert line.state(our_run) is None
    assert line.events(run_id).count("ended") == 1
    assert len(line.emulator.runs_of(actor)) == 2

    assert [each["last_dispatch"] for each in hooks_of(line, actor)] == ["SUCCEEDED"]
    assert cli(line, "remove", hook["id"])[:2] == (0, [{"id": hook["id"], "removed": True}])
    assert hooks_of(line, actor) == []
    with pytest.raises(urllib.error.HTTPError, match="404"):
        webhook_of(line, hook["webhook_id"])
    assert cli(line, "remove", hook["id"])[0] == 5


@pytest.mark.parametrize(("status", "type_"), [(401, "user-or-token-not-found"), (403, "insufficient-permissions")])
def test_hook_collects_its_run_when_the_token_is_right_again(gateway, template, faults, status, type_):
    line = gateway.line
    actor = line.emulator.actor(f"hooked-{status}", items=30, duration_secs=600)
    assert cli(line, "add", actor, "--document", str(template))[0] == 0
    run_id = start_elsewhere(line, actor)
    faults({"action": "status", "status": status, "type": type_, "path_regex": f"/actor-runs/{run_id}$"})
    before = looks_at(line, run_id)
    line.emulator.finish(run_id)
    wait_for(lambda: looks_at(line, run_id) > before, what="the look that is refused")
    line.emulator.end_faults()

    def is_ordered():
        line.ledger.agenda.move("hook_runs", line.ledger.redis.zrange(line.ledger.name("hook_runs"), 0, -1), 0)
        return line.state(run_id) == "DELIVERED"

    wait_for(is_ordered, what="the delivery, without waiting for minutes")


@pytest.mark.thorough
def test_secret_is_rotated_while_the_gateway_runs(own_line, template):
    port = free_port()
    line = own_line("webhooks-rotated", public_url=f"http://127.0.0.1:{port}")
    actor = line.emulator.actor("rotated", items=1)
    with running_gateway(line, "--port", str(port)) as gateway:
        (hook,) = cli(line, "add", actor, "--document", str(template))[1]
        first = line.ledger.redis.get(line.ledger.name("webhook_secret"))
        assert cli(line, "rotate")[:2] == (0, [{"rotated": True, "webhooks": [hook["id"]]}])
        second = line.ledger.redis.get(line.ledger.name("webhook_secret"))
        wait_for(
            lambda: post_event(gateway, event("any"), secret=second) == 200, within=120, what="the new secret accepted"
        )
        assert post_event(gateway, event("any"), secret=first) == 200  # what is under way still holds it
        (renewed,) = hooks_of(line, actor)
        assert second in webhook_of(line, renewed["webhook_id"])["headersTemplate"]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            webhook_of(line, hook["webhook_id"])
        assert cli(line, "rotate", "--now")[0] == 0
        wait_for(
            lambda: post_event(gateway, event("any"), secret=second) == 401, within=120, what="the old secret refused"
        )
        assert line.ledger.redis.get(line.ledger.name("webhook_secret_before")) is None


def test_secret_of_the_settings_is_rotated_there(gateway):
    code, _, said = cli(gateway.line, "rotate")
    assert code == 2
    assert "ACTORLINE_WEBHOOK_SECRET is set" in said


@pytest.mark.thorough
def test_hook_of_an_actor_task_ignores_its_actors_other_runs(gateway, template):
    line = gateway.line
    actor = line.emulator.actor("of-a-task", items=3, duration_secs=0)
    task = line.emulator.actor_task("hooked-task", actor)
    code, (hook,), _ = cli(line, "add", "--actor-task", "demo/hooked-task", "--document", str(template))
    assert code == 0
    other = start_elsewhere(line, actor)
    assert post_event(gateway, event(other), path=f"{PATH}?hook={hook['id']}") == 200
    url = f"{line.emulator.url}/v2/actor-tasks/{task['id']}/runs"
    run = requests.post(url, json={}, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60).json()["data"]["id"]
    wait_for(lambda: line.state(run) == "DELIVERED", what="the delivery of the Actor task's run")
    wait_for(lambda: line.ledger.redis.zcard(line.ledger.name("hook_runs")) == 0, what="an end of what is noted")
    assert line.state(other) is None
    cli(line, "remove", hook["id"])


def test_template_that_no_run_could_be_ordered_with_is_refused(gateway, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"key": "mine"}))
    code, (reported,), _ = cli(gateway.line, "add", "demo/rows", "--document", str(path))
    assert code == 5
    assert "must not have key" in reported["reason"]["message"]
    assert hooks_of(gateway.line, "demo/rows") == []


def test_hook_needs_a_public_address(gateway, template):
    code, _, said = cli(gateway.line, "add", "demo/rows", "--document", str(template), ACTORLINE_PUBLIC_URL="")
    assert code == 2
    assert "ACTORLINE_PUBLIC_URL is not set" in said


@pytest.mark.thorough
def test_hook_beyond_the_platforms_hundred_is_refused(gateway, template, faults):
    faults(
        {"method": "POST", "action": "status", "status": 403, "type": "too-many-webhooks", "path_regex": "webhooks$"}
    )
    actor = gateway.line.emulator.actor("one-too-many")
    code, (reported,), _ = cli(gateway.line, "add", actor, "--document", str(template))
    assert (code, reported["reason"]["platform_type"]) == (5, "too-many-webhooks")
    assert "Remove some" in reported["reason"]["message"]
    assert hooks_of(gateway.line, actor) == []


def test_secret_shows_in_no_log(gateway):
    line = gateway.line
    actor = line.emulator.actor("discreet", items=1, duration_secs=0)
    run_id = line.submit({"key": "discreet", "actor": actor, **NEVER_POLLED}).get(timeout=120)["run_id"]
    assert SECRET in webhook_of(line, dispatches_of(line, run_id)[0]["webhookId"])["headersTemplate"]
    logs = "".join(path.read_text() for path in line.home.glob("*.log"))
    assert "run-known" in logs
    for shown in (SECRET, "webhooks=", "headersTemplate"):
        assert shown not in logs
