"""The metrics that a tally becomes, and that what is written for Prometheus names no others."""

from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml  # a part of what schemathesis needs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from actorline import __version__
from actorline.budgets.status import BudgetStatus
from actorline.gateway import metrics as gateway_metrics
from actorline.gateway.metrics import LedgerMetrics
from actorline.jobs.states import State
from actorline.ledger.admission.account_room import AccountUse
from actorline.ledger.queries.fleet import Fleet, Worker
from actorline.ledger.queries.tally import Tally
from actorline.schedules.book import BookEntry, Reading
from actorline.schedules.decision import SchedulePosition
from actorline.schedules.schedule import Schedule

CONFIG = Path(__file__).parents[3] / "config"
NOTHING = Tally(
    jobs=dict.fromkeys(State, 0),
    parked=0,
    strays=0,
    overdue_s=0,
    paused=frozenset(),
    queues={},
    unseen_s={},
    sweep_age_s=None,
    counts={},
)
MUCH = Tally(
    jobs={**dict.fromkeys(State, 0), State.RUNNING: 7},
    parked=3,
    strays=2,
    overdue_s=12.5,
    paused=frozenset({"*", 'odd "name"\\'}),
    queues={"control": 4, "fetch": 5, "doors": 0},
    unseen_s={"control": 2.5, "fetch": 360},
    sweep_age_s=1.25,
    counts={
        "queued": 20,
        "runs:started": 9,
        "runs:found": 1,
        "waits:capacity": 6,
        "saved:joined:default": 3,
        "saved:stopped:shop": 1,
        "saved_nano_usd:joined:default": 500_000_000,
        "waiting:capacity": 2,
        "waiting:paused": -1,  # an older version doesn't count
        "ended:DELIVERED:none": 8,
        "ended:FAILED:auth": 2,
        "ended:FAILED:run-failed": 1,
        "ended_ms:DELIVERED": 80_500,
        "ended_ms:FAILED": 1_000,
        "items": 10**15 + 1,
        "pages": 11,
        "bytes": 700,
        "nano_usd": 1_000_000_000,
        "most_nano_usd": 1_250_000_001,
    },
)


STATUS = BudgetStatus(
    budget="label:team=search",
    period="day",
    name="2026-11-28",
    timezone="UTC",
    begins_at=0,
    ends_at=86_400,
    limit_usd=20,
    spent_usd=12.5,
    reserved_usd=0.5,
    left_usd=7,
    forecast_usd=None,
    hard=False,
)


FLEET = Fleet(
    now=1_000,
    workers=[Worker("a", "1", ("control",), 3), Worker("b", "1", ("control",), 5), Worker("c", "0", ("fetch",), 900)],
    account_jobs={("default", "RUNNING"): 7},
    use={"default": AccountUse(at=940, used={"runs": 3}, limit={"runs": 25})},
    oldest_s={State.RUNNING: 30},
    busy_s={"control": 12, "doors": 1},
    batches_open=1,
    members={"open": 4, "DELIVERED": 2},
)
SCHEDULE = Schedule.model_validate({"cron": "0 * * * *", "document": {"actor": "a/b"}})
PLACE = SchedulePosition(rhythm="0 * * * *", seen=0, started=100, missed=50)
READING = Reading(1_000_000, {"hourly": BookEntry(PLACE, "")}, ["beat"])


@pytest.fixture
def shown(monkeypatch):
    def show(
        tally: Tally, fleet: Fleet = FLEET, reading: Reading = READING, **of_server: bool
    ) -> dict[str, list[Sample]]:
        """Name -> samples, as Prometheus reads them."""
        figures = {"used_bytes": 5, "max_bytes": 10, "aof_bytes": 3, "clients": 4}
        server = SimpleNamespace(**figures, **{"has_aof": True, "writes_its_file": True, **of_server})
        ledger = SimpleNamespace(server=lambda: server)
        for name, found in (("read_tally", tally), ("read_fleet", fleet), ("read_budgets", [STATUS])):
            monkeypatch.setattr(gateway_metrics, name, lambda *_, found=found: found)
        monkeypatch.setattr(gateway_metrics, "Book", lambda _: SimpleNamespace(read=lambda: reading))
        monkeypatch.setattr(LedgerMetrics, "_schedules", lambda _: {"hourly": SCHEDULE})
        registry = CollectorRegistry()
        registry.register(LedgerMetrics(ledger, SimpleNamespace(budgets=None, redis_max_bytes=None)))  # type: ignore[arg-type]
        families = text_string_to_metric_families(generate_latest(registry).decode())
        samples = list(chain.from_iterable(family.samples for family in families))
        return {name: [each for each in samples if each.name == name] for name in {each.name for each in samples}}

    return show


def values(samples: list[Sample], label: str) -> dict[str, float]:
    return {sample.labels[label]: sample.value for sample in samples}


def value(samples: list[Sample]) -> float:
    (sample,) = samples
    assert sample.labels == {}
    return sample.value


def test_everything_of_a_tally_is_shown(shown):
    metrics = shown(MUCH)
    assert values(metrics["actorline_jobs"], "state") == {**dict.fromkeys(State, 0), "RUNNING": 7}
    assert values(metrics["actorline_paused"], "account") == {"*": 1, 'odd "name"\\': 1}
    assert values(metrics["actorline_queue_messages"], "queue") == {"control": 4, "fetch": 5, "doors": 0}
    assert values(metrics["actorline_worker_unseen_seconds"], "queue") == {"control": 2.5, "fetch": 360}
    assert values(metrics["actorline_runs_total"], "how") == {"started": 9, "found": 1}
    assert values(metrics["actorline_waits_total"], "code") == {"start-unclear": 0, "budget": 0, "capacity": 6}
    assert values(metrics["actorline_saved_runs_total"], "how") == {"joined": 3, "stopped": 1}
    assert values(metrics["actorline_saved_usd_total"], "account") == {"default": 0.5}
    assert values(metrics["actorline_job_seconds_sum"], "state") == {"DELIVERED": 80.5, "FAILED": 1}
    assert values(metrics["actorline_job_seconds_count"], "state") == {"DELIVERED": 8, "FAILED": 3}
    assert values(metrics["actorline_waiting_jobs"], "code") == {
        "start-unclear": 0, "budget": 0, "capacity": 2, "paused": 0,
    }  # fmt: skip
    assert values(metrics["actorline_budget_usd"], "kind") == {"limit": 20, "spent": 12.5, "reserved": 0.5}
    assert metrics["actorline_budget_usd"][0].labels | {"kind": ""} == {
        "budget": "label:team=search", "period": "day", "kind": "",
    }  # fmt: skip
    assert metrics["actorline_build_info"][0].labels == {"version": __version__}
    single = {
        "parked_jobs": 3, "stray_runs": 2, "overdue_seconds": 12.5, "upkeep_age_seconds": 1.25, "jobs_queued_total": 20,
        "items_total": 10**15 + 1, "pages_total": 11, "bytes_total": 700, "cost_usd_total": 1.250000001,
    }  # fmt: skip
    assert {name: value(metrics[f"actorline_{name}"]) for name in single} == single


def test_who_works_on_what_is_shown_with_its_limits(shown):
    metrics = shown(MUCH)
    assert values(metrics["actorline_workers"], "queues") == {"control": 2}
    assert values(metrics["actorline_queue_busy_seconds"], "queue") == {"control": 12, "doors": 0}
    assert values(metrics["actorline_oldest_job_seconds"], "state") == {"RUNNING": 30}
    assert values(metrics["actorline_account_jobs"], "account") == {"default": 7}
    assert values(metrics["actorline_account_used"], "of") == {"runs": 3}
    assert values(metrics["actorline_account_limit"], "of") == {"runs": 25}
    assert values(metrics["actorline_account_read_seconds"], "account") == {"default": 60}
    assert values(metrics["actorline_batch_members"], "state") == {"open": 4, "DELIVERED": 2}
    assert (value(metrics["actorline_redis_used_bytes"]), value(metrics["actorline_redis_max_bytes"])) == (5, 10)


def test_a_schedules_last_due_times_and_lateness_are_shown(shown):
    metrics = shown(MUCH)
    due = values(metrics["actorline_schedule_due_timestamp_seconds"], "outcome")
    assert due == {"ordered": 100, "missed": 50}
    assert values(metrics["actorline_schedule_late"], "schedule") == {"hourly": 1}
    assert value(metrics["actorline_beats"]) == 1


def test_ends_are_shown_by_state_and_code_also_as_zeros(shown):
    ends = {
        (each.labels["state"], each.labels["code"]): each.value for each in shown(MUCH)["actorline_jobs_ended_total"]
    }
    assert {labels: number for labels, number in ends.items() if number} == {
        ("DELIVERED", "none"): 8, ("FAILED", "auth"): 2, ("FAILED", "run-failed"): 1,
    }  # fmt: skip
    assert {("FAILED", "sink-failed"), ("PARTIAL", "sink-failed"), ("EXPIRED", "deadline")} <= ends.keys()
    assert ("PARTIAL", "auth") not in ends
    before = {(each.labels["state"], each.labels["code"]) for each in shown(NOTHING)["actorline_jobs_ended_total"]}
    assert before == set(ends)


def test_redis_without_a_file_that_it_writes_is_reported(shown):
    figures = [shown(NOTHING, **{each: False})["actorline_redis_file_ok"] for each in ("has_aof", "writes_its_file")]
    assert [value(each) for each in (*figures, shown(NOTHING)["actorline_redis_file_ok"])] == [0, 0, 1]


def test_what_no_upkeep_has_seen_is_left_out(shown):
    missing = shown(MUCH).keys() - shown(NOTHING).keys()
    assert missing == {
        "actorline_upkeep_age_seconds", "actorline_queue_messages", "actorline_paused", "actorline_job_seconds_sum",
        "actorline_job_seconds_count", "actorline_worker_unseen_seconds", "actorline_saved_runs_total",
        "actorline_saved_usd_total",
    }  # fmt: skip


def test_the_scrape_finds_gateway_workers_and_alerts_of_compose():
    config = yaml.safe_load((CONFIG / "prometheus.yml").read_text())
    compose = yaml.safe_load((CONFIG.parent / "docker-compose.yml").read_text())
    services = compose["services"]
    gateway, workers = config["scrape_configs"]
    assert gateway["static_configs"] == [{"targets": ["gateway:8470"]}]
    assert services["gateway"]["ports"][0].endswith(":8470")
    assert gateway["authorization"]["credentials_file"] == "/run/secrets/metrics_key"
    assert services["prometheus"]["secrets"] == ["metrics_key"]
    (found,) = workers["dns_sd_configs"]
    for name in found["names"]:
        assert services[name]["environment"]["ACTORLINE_METRICS_PORT"] == str(found["port"])
    assert all((CONFIG / name).is_file() for name in config["rule_files"])


def test_the_monitoring_profile_mounts_files_that_exist():
    compose = yaml.safe_load((CONFIG.parent / "docker-compose.yml").read_text())
    services = [each for each in compose["services"].values() if each.get("profiles") == ["monitoring"]]
    mounts = [volume.split(":")[0] for each in services for volume in each["volumes"]]
    assert [mount for mount in mounts if mount.startswith("./") and not (CONFIG.parent / mount).is_file()] == []
    assert all(port.startswith("127.0.0.1:") for each in services for port in each["ports"])
