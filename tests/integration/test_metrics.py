"""`/metrics` of a real line: what happened, exactly, and who may read it."""

import json
from itertools import chain

import httpx
import pytest
from gateway_process import Gateway, running_gateway
from prometheus_client.parser import text_string_to_metric_families
from real_parts import running_line, running_workers, wait_for

from actorline.api_keys import create_key
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import FROM_TERMINAL

pytestmark = pytest.mark.thorough

BOOTSTRAP = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def gateway(valkey, emulator, tmp_path):
    """A door and workers that nobody else uses."""
    with (
        running_line(valkey, emulator, tmp_path / "line", "gw-metrics") as line,
        running_gateway(line) as gateway,
    ):
        yield gateway


def scraped(gateway: Gateway, **headers: str) -> dict[str, float]:
    """`name{label=value,...}` -> value."""
    response = gateway.http.get("/metrics", headers=headers)
    assert response.status_code == 200, response.text
    samples = chain.from_iterable(family.samples for family in text_string_to_metric_families(response.text))
    return {_shown(each.name, each.labels): each.value for each in samples}


def _shown(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return name.removeprefix("actorline_") + (f"{{{inside}}}" if inside else "")


def ends_logged(gateway: Gateway) -> list[dict[str, str]]:
    logs = chain.from_iterable(log.read_text().splitlines() for log in gateway.line.home.glob("*.log"))
    return [line for line in map(json.loads, logs) if line["event"] == "ended"]


def test_what_happened_is_told_exactly(gateway):
    emulator, ledger = gateway.line.emulator, gateway.line.ledger
    good = emulator.actor("gw-metrics-good", items=2500, duration_secs=0.5, usage_usd=0.5, figures_lag_secs=4)
    bad = emulator.actor("gw-metrics-bad", items=0, duration_secs=0.5, final_status="FAILED", usage_usd=0.25)
    nothing = scraped(gateway)
    assert nothing["jobs_ended_total{code=run-failed,state=FAILED}"] == nothing["jobs_queued_total"] == 0
    for key, actor in (("good", good), ("bad", bad)):
        assert gateway.order(key=key, actor=actor, collect={"page_items": 1000}).status_code == 202
        assert gateway.order(key=key, actor=actor, collect={"page_items": 1000}).status_code == 200
    delivered, failed = gateway.ended("good"), gateway.ended("bad")
    assert (delivered["state"], failed["state"], failed["reason"]["code"]) == ("DELIVERED", "FAILED", "run-failed")
    for key in ("good", "bad"):
        wait_for(lambda key=key: ledger.load(key).figures_settled, what="the settled figures")
    results = [gateway.http.get(f"/v1/jobs/{key}").json() for key in ("good", "bad")]
    assert [result["cost_usd"] for result in results] == [0.5, 0.25]
    ends = wait_for(lambda: len(found := ends_logged(gateway)) == 2 and found, what="both ends in the log")
    assert {line["job_key"]: line["level"] for line in ends} == {"good": "info", "bad": "warning"}

    metrics = scraped(gateway)
    assert {name: number for name, number in metrics.items() if name.startswith("jobs_ended") and number} == {
        "jobs_ended_total{code=none,state=DELIVERED}": 1,
        "jobs_ended_total{code=run-failed,state=FAILED}": 1,
    }
    expected = {
        "jobs_queued_total": 2, "runs_total{how=started}": 2, "runs_total{how=found}": 0, "cost_usd_total": 0.75,
        **{f"{name}_total": sum(result[name] for result in results) for name in ("items", "pages", "bytes")},
        "jobs{state=DELIVERED}": 1, "jobs{state=FAILED}": 1, "jobs{state=RUNNING}": 0, "jobs{state=QUEUED}": 0,
        "stray_runs": 0, "parked_jobs": 0, "waits_total{code=start-unclear}": 0,
        "job_seconds_count{state=DELIVERED}": 1, "job_seconds_count{state=FAILED}": 1,
    }  # fmt: skip
    assert {name: metrics[name] for name in expected} == expected
    assert metrics["items_total"] == 2500
    job = ledger.load("good")
    assert metrics["job_seconds_sum{state=DELIVERED}"] == pytest.approx(job.ended_at - job.queued_at, abs=0.001)
    assert 0 <= metrics["upkeep_age_seconds"] < 30
    assert {f"queue_messages{{queue={queue}}}" for queue in ("control", "fetch", "doors")} <= metrics.keys()


def test_waiting_messages_are_counted_at_any_priority(own_line):
    line = own_line("gw-metrics-queues")
    with running_workers(line, "control"), running_gateway(line) as gateway:
        for priority in (0, 5, 9):
            line.client.send_task("actorline.finish_job", ["k"], queue=f"{line.namespace}.fetch", priority=priority)
        wait_for(lambda: scraped(gateway).get("queue_messages{queue=fetch}") == 3, what="three messages")
        assert scraped(gateway)["queue_messages{queue=doors}"] == 0


def test_pause_and_neglected_work_are_seen_without_workers(own_line):
    line = own_line("gw-metrics-still")
    with running_gateway(line) as gateway:
        assert gateway.order(key="k", actor="x").status_code == 202
        line.ledger.redis.sadd(line.ledger.name("paused"), "second")
        line.ledger.redis.zadd(line.ledger.name("due"), {"k": line.ledger.now() - 400})
        metrics = scraped(gateway)
    assert metrics["jobs{state=QUEUED}"] == metrics["paused{account=second}"] == 1
    assert 400 <= metrics["overdue_seconds"] < 430
    assert "upkeep_age_seconds" not in metrics  # no upkeep was ever there
    assert metrics["http_requests_total{route=GET /v1/jobs/{key},status=500}"] == 0  # before there is one


def test_a_key_reads_metrics_by_a_scope_of_its_own(own_line):
    line = own_line("gw-metrics-keys")
    scopes = {"scraper": {Scope.METRICS}, "service": {Scope.SUBMIT, Scope.READ, Scope.CANCEL}}
    accounts = frozenset({"a"})
    keys = {
        name: create_key(line.ledger, name, Rights(scopes=frozenset(each), accounts=accounts), FROM_TERMINAL)
        for name, each in scopes.items()
    }
    with running_gateway(line, "--host", "0.0.0.0", ACTORLINE_GATEWAY_KEY=BOOTSTRAP) as gateway:

        def ask(path: str, key: str | None) -> httpx.Response:
            return gateway.http.get(path, headers={} if key is None else {"Authorization": f"Bearer {key}"})

        for key in (keys["scraper"], BOOTSTRAP):
            response = ask("/metrics", key)
            assert response.status_code == 200
            assert response.headers["Content-Type"].startswith("text/plain; version=")
        for key, status, code in ((keys["service"], 403, "forbidden"), (None, 401, "auth"), ("wrong", 401, "auth")):
            problem = ask("/metrics", key)
            assert (problem.status_code, problem.json()["code"]) == (status, code)
            assert problem.headers["Content-Type"] == "application/problem+json"
        assert "scope metrics" in ask("/metrics", keys["service"]).json()["detail"]
        assert ask("/v1/jobs", keys["scraper"]).status_code == 403
