"""No input and no token shows anywhere but in the order's own message, in the ledger's input, and at the platform."""

import json
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from real_parts import (
    TOKEN,
    Line,
    captured_commands,
    captured_events,
    decoded,
    delivery_of,
    free_port,
    make_line,
    running_workers,
    wait_for,
)

from actorline.ledger.store import connect

CANARY = "apify_api_CanaryInTheInput"
SECRET = "canary-in-a-setting"


@dataclass
class Watched:
    """What was seen of a line while it did jobs whose inputs hold a canary."""

    line: Line
    results: dict[str, Any]
    taken_over: dict[str, Any]
    """The result of a job that collected all records of the first one's run."""

    events: list[dict[str, Any]]
    commands: list[dict[str, Any]]
    """Every command that Redis got, in any database, with the bodies of Celery's messages decoded."""

    metrics: str
    """What both workers reported to Prometheus after all jobs."""

    command_lines: str
    """Those of the workers and of whatever they had started, as any user of the machine can read them."""

    @property
    def logs(self) -> str:
        return "".join(path.read_text() for path in self.line.home.glob("*.log"))

    @property
    def stored_results(self) -> str:
        with connect(self.line.results) as client:
            return "".join(client.get(key) for key in client.keys("celery-task-meta-*"))


@pytest.fixture(scope="module")
def watched(valkey, emulator, tmp_path_factory) -> Watched:
    line = make_line(
        valkey,
        emulator,
        tmp_path_factory.mktemp("secrecy"),
        "secrecy",
        log_level="DEBUG",
        task_events="true",
        secrets__shop__value=SECRET,
        metrics_port=str(port := free_port(side_by_side=2)),
        accounts__b=TOKEN,
        secrets__shop__actors='["demo/secretive", "demo/secretive-failing"]',
    )
    actor = emulator.actor("secretive", items=500, duration_secs=1)
    other = emulator.actor("without-secrets", items=1)
    failing = emulator.actor(
        "secretive-failing",
        items=0,
        duration_secs=0,
        final_status="FAILED",
        status_message=f"can't log in with {SECRET}",
    )
    given = {"password": CANARY, "deep": [{"token": CANARY}], "shop": {"$secret": "SHOP"}}
    documents = {
        "delivered": {"actor": actor, "input": given, "collect": {"all_records": True, "page_items": 250}},
        "failed": {"actor": failing, "input": given},
        "refused-by-us": {"actor": actor, "input": given, "passwrd": CANARY, "options": {"build": {CANARY: CANARY}}},
        "refused-secret": {"actor": other, "input": given},
        "refused-record": {"actor": actor, "input": given, "collect": {"records": ["INPUT"]}},
        "refused-account": {"actor": actor, "input": given, "account": "b"},
        "refused-by-them": {"actor": "demo/nobody", "input": {"password": CANARY}},
    }
    with captured_commands(valkey) as commands, running_workers(line, "control", "fetch", forked=False) as workers:
        with captured_events(line) as events:
            after = line.client.signature("actorline.status", args=["nobody"], queue=line.namespace, immutable=True)
            pending = {
                key: line.submit({"key": key, "poll_interval_secs": 1, **document}, link=after)
                for key, document in documents.items()
            }
            results = {key: order.get(timeout=120, propagate=False) for key, order in pending.items()}
            wait_for(lambda: "(key=delivered, actor=demo/secretive)" in arguments_of_orders(events), what="its event")
        again = {"key": "again", "run_id": results["delivered"]["run_id"], "collect": {"all_records": True}}
        taken_over = line.submit(again).get(timeout=120)
        line.client.close()
        metrics = "".join(httpx.get(f"http://127.0.0.1:{port + place}/metrics", timeout=60).text for place in range(2))
        command_lines = "".join(Path(f"/proc/{worker.pid}/cmdline").read_text() for worker in workers)
        workers[1].send_signal(signal.SIGABRT)  # whatever a crash writes is in the log
        workers[1].wait(60)
    shown = [{**command, "command": decoded(command["command"])} for command in commands]
    return Watched(line, results, taken_over, events, shown, metrics, command_lines)


def arguments_of_orders(events: list[dict[str, Any]]) -> list[str]:
    return [event["args"] for event in events if event.get("name") == "actorline.run"]


def test_input_and_secret_reach_the_platform(watched):
    """Without this the other tests would prove nothing."""
    assert watched.results["delivered"]["state"] == "DELIVERED"
    store = watched.results["delivered"]["key_value_store_id"]
    assert watched.line.emulator.get(f"/v2/key-value-stores/{store}/records/INPUT") == {
        "password": CANARY,
        "deep": [{"token": CANARY}],
        "shop": SECRET,
    }


def test_each_other_order_ends_as_it_should(watched):
    ends = {key: type(result).__name__ for key, result in watched.results.items() if key != "delivered"}
    assert ends == {
        "failed": "JobFailed",
        "refused-by-us": "JobRefused",
        "refused-secret": "JobRefused",
        "refused-record": "JobRefused",
        "refused-account": "JobRefused",
        "refused-by-them": "JobRefused",
    }
    assert "is not set for demo/secretive in the account b" in str(watched.results["refused-account"])
    assert "The record INPUT can't be delivered" in str(watched.results["refused-record"])
    assert "is not set for demo/without-secrets" in str(watched.results["refused-secret"])
    assert watched.line.emulator.starts("demo/without-secrets") == []


def test_no_file_of_a_delivery_holds_the_secret(watched):
    result = watched.results["delivered"]
    delivered = delivery_of(result)
    assert "manifest.json" in delivered.files
    assert "records/INPUT" not in delivered.files
    assert not [name for name in delivered.files if SECRET.encode() in (delivered.folder / name).read_bytes()]
    assert "records-withheld" in watched.line.events("delivered")
    taken = watched.taken_over
    assert (taken["state"], "records/INPUT" in delivery_of(taken).files) == ("DELIVERED", False)


@pytest.mark.parametrize("hidden", [CANARY, SECRET, TOKEN], ids=["input", "secret", "token"])
def test_no_log_line_holds_it(watched, hidden):
    assert '"worker_ready"' in watched.logs
    assert "run-known" in watched.logs
    assert hidden not in watched.logs


@pytest.mark.parametrize("hidden", [CANARY, SECRET, TOKEN], ids=["input", "secret", "token"])
def test_no_metric_and_no_command_line_holds_it(watched, hidden):
    assert 'endpoint="POST actors/{id}/runs",status="201"} 2.0' in watched.metrics
    assert "workers" in watched.command_lines
    assert hidden not in watched.metrics + watched.command_lines


def test_a_jobs_lines_name_its_run_attempt_and_task(watched):
    lines = [json.loads(line) for line in watched.logs.splitlines() if line.startswith("{")]
    story = [line for line in lines if line.get("job_key") == "delivered" and line["level"] == "info"]
    assert len(story) <= 10
    ended = next(line for line in story if line["event"] == "ended")
    assert (ended["run_id"], ended["attempt"]) == (watched.results["delivered"]["run_id"], 1)
    assert all(line["task_id"] for line in story)


@pytest.mark.parametrize("hidden", [CANARY, SECRET, TOKEN], ids=["input", "secret", "token"])
def test_no_event_holds_it(watched, hidden):
    assert "(key=delivered, actor=demo/secretive)" in arguments_of_orders(watched.events)
    assert hidden not in json.dumps(watched.events)


@pytest.mark.parametrize("hidden", [CANARY, SECRET, TOKEN], ids=["input", "secret", "token"])
def test_no_celery_result_holds_it(watched, hidden):
    assert watched.results["delivered"]["run_id"] in watched.stored_results
    assert hidden not in watched.stored_results


@pytest.mark.parametrize("hidden", [SECRET, TOKEN], ids=["secret", "token"])
def test_redis_never_sees_it(watched, hidden):
    assert len(watched.commands) > 100
    assert not [command for command in watched.commands if hidden in command["command"]]


def test_only_the_orders_message_and_ledger_hold_the_input(watched):
    holding = [command for command in watched.commands if CANARY in command["command"]]
    messages = [command["command"] for command in holding if command["db"] == 0]
    assert messages
    assert all('"task": "actorline.run"' in message for message in messages)
    elsewhere = [command for command in holding if command["db"] != 0]
    ledger = {
        "secrecy:job:delivered",
        "secrecy:job:failed",
        "secrecy:job:refused-secret",
        "secrecy:job:refused-account",
        "secrecy:job:refused-by-them",
    }
    assert {name for command in elsewhere for name in ledger if name in command["command"]} == ledger
    assert all(any(name in command["command"] for name in ledger) for command in elsewhere)


def test_the_pipelines_messages_carry_keys_and_windows_only(watched):
    stages = [command["command"] for command in watched.commands if '"task": "actorline.' in command["command"]]
    names = {name for message in stages for name in re.findall(r'"task": "actorline\.(\w+)"', message)}
    assert {"run", "start_run", "poll_run", "fetch_pages", "fetch_page", "finish_job", "answer"} <= names
    assert not [stage for stage in stages if '"task": "actorline.run"' not in stage and '"input"' in stage]


def test_running_task_shows_its_key_and_actor_only(line):
    """What `inspect` says of an order that a worker has in hand."""
    actor = line.emulator.actor("inspected", items=1, duration_secs=0)
    order = line.submit({"key": "inspected", "actor": actor, "input": CANARY}, countdown=600)

    def held() -> str | None:
        shown = json.dumps(line.client.control.inspect(timeout=2).scheduled())
        return shown if "inspected" in shown else None

    shown = wait_for(held, what="the order in a worker's hands")
    assert "(key=inspected, actor=demo/inspected)" in shown
    assert CANARY not in shown
    order.revoke()
