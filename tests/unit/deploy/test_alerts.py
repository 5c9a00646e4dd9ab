"""Each alert fires at what it is for and is silent otherwise, as Prometheus's own tool sees it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[3]
RULES = {
    rule["alert"]: rule for rule in yaml.safe_load((ROOT / "config" / "alerts.yml").read_text())["groups"][0]["rules"]
}
MINUTES = 90


class Case(NamedTuple):
    """`bad`, `good`: series of `actorline_` -> their values; `labels`: of the alert."""

    bad: dict[str, str]
    good: dict[str, str]
    labels: Mapping[str, str] = MappingProxyType({})


def flat(value: float) -> str:
    return f"{value}x{MINUTES}"


def rising(value: float) -> str:
    """So much more each minute."""
    return f"0+{value}x{MINUTES}"


def ended(state: str, bad: str, good: str = "0x90") -> Case:
    name = f'jobs_ended_total{{state="{state}", code="auth"}}'
    return Case({name: bad}, {name: good}, {"code": "auth"})


def budget(spent: float, good: float) -> Case:
    series = 'budget_usd{{budget="a", period="day", kind="{}"}}'.format
    limit = {series("limit"): flat(100)}
    labels = {"budget": "a", "period": "day"}
    return Case({**limit, series("spent"): flat(spent)}, {**limit, series("spent"): flat(good)}, labels)


def single(name: str, bad: str, good: str, **labels: str) -> Case:
    return Case({name: bad}, {name: good}, labels)


def calls(status: str, bad: float, good: float, **labels: str) -> Case:
    names = [f'platform_requests_total{{account="a", endpoint="x", status="{each}"}}' for each in (status, "200")]
    return Case(*({names[0]: rising(each), names[1]: rising(60)} for each in (bad, good)), labels)


CASES = {
    "Unseen": single("upkeep_age_seconds", "_x90", flat(1)),
    "WithoutUpkeep": single("upkeep_age_seconds", rising(60), flat(1)),
    "WorkersGone": single('worker_unseen_seconds{queue="fetch"}', rising(60), flat(5), queue="fetch"),
    "WorkersDiffer": Case(
        {f'workers{{queues="fetch", version="{version}"}}': flat(2) for version in "12"},
        {f'workers{{queues="{queue}", version="1"}}': flat(2) for queue in ("fetch", "control")},
    ),
    "QueueNotEmptied": single('queue_busy_seconds{queue="fetch"}', rising(60), flat(600), queue="fetch"),
    "Overdue": single("overdue_seconds", flat(301), flat(20)),
    "StrayRuns": single("stray_runs", flat(1), flat(0)),
    "StartUnclear": Case(  # a person was asked an hour ago; a search that has just begun asks nobody
        {'waits_total{code="start-unclear"}': "0x29 1x60", 'waiting_jobs{code="start-unclear"}': "0x29 1x60"},
        {'waits_total{code="start-unclear"}': flat(3), 'waiting_jobs{code="start-unclear"}': "0x84 1x5"},
    ),
    "WaitsLong": single('oldest_job_seconds{state="WAITING"}', rising(60), flat(900)),
    "JobFailed": ended("FAILED", rising(1), flat(7)),
    "JobsFail": ended("FAILED", rising(1), rising(0.5)),
    "JobsPartial": ended("PARTIAL", rising(1)),
    "GuardBroken": single('guards_broken_total{rule="required"}', rising(1), flat(3), rule="required"),
    "ComparisonFails": single('comparisons_total{outcome="failed"}', rising(1), flat(3)),
    "JobsExpired": ended("EXPIRED", rising(1)),
    "SinkFails": single('page_fetches_total{outcome="sink"}', rising(1), flat(2)),
    "NoticesFail": single('notices_total{outcome="failed"}', rising(1), rising(0.1)),
    "TokenRefused": calls("401", 1, 0, account="a"),
    "PlatformSilent": calls("none", 100, 10),
    "PlatformLimits": calls("429", 10, 1),
    "AccountNearlyFull": Case(
        {'account_used{account="a", of="month_usd"}': flat(46), 'account_limit{account="a", of="month_usd"}': flat(50)},
        {'account_used{account="a", of="month_usd"}': flat(20), 'account_limit{account="a", of="month_usd"}': flat(50)},
        {"account": "a"},
    ),
    "BudgetNearlySpent": budget(80, 79),
    "BudgetSpent": budget(99, 98),
    "BudgetWaits": Case(
        {'waits_total{code="budget"}': flat(1), 'waiting_jobs{code="budget"}': flat(1)},
        {'waits_total{code="budget"}': flat(1), 'waiting_jobs{code="budget"}': flat(0)},
    ),
    "Spending": single("cost_usd_total", "0x59 0+1x30", rising(0.1)),
    "ScheduleMissed": single(
        'schedule_due_timestamp_seconds{schedule="a", outcome="missed"}', flat(60 * MINUTES - 60), flat(60),
        schedule="a", outcome="missed",
    ),
    "ScheduleLate": single('schedule_late{schedule="a"}', flat(1), flat(0), schedule="a"),
    "WithoutBeat": Case(
        {"beats": flat(0), 'schedule_due_timestamp_seconds{schedule="a", outcome="ordered"}': flat(1)},
        {"beats": flat(1), 'schedule_due_timestamp_seconds{schedule="a", outcome="ordered"}': flat(1)},
    ),
    "DoorFails": single(
        'http_requests_total{route="GET /v1/jobs", status="503"}', rising(2), rising(0.5), route="GET /v1/jobs"
    ),
    "KeysRefused": single("auth_refused_total", rising(10), rising(1)),
    "RedisNearlyFull": Case(
        {"redis_used_bytes": flat(81), "redis_max_bytes": flat(100)},
        {"redis_used_bytes": flat(60), "redis_max_bytes": flat(100)},
    ),
    "RedisFileFails": single("redis_file_ok", flat(0), flat(1)),
}  # fmt: skip


def test_each_alert_has_a_case():
    assert {f"Actorline{name}" for name in CASES} == RULES.keys()


def test_each_alert_has_severity_summary_and_its_paragraph():
    headings = re.findall(r"^### (Actorline\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert headings == list(RULES)
    for name, rule in RULES.items():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook_url"] == f"docs/operations.md#{name.lower()}"


def test_each_alert_fires_at_its_fault_and_only_then(promtool, tmp_path):
    promtool("test", "rules", *(_case_file(name, case, tmp_path) for name, case in CASES.items()))


def _case_file(name: str, case: Case, folder: Path) -> str:
    """Write what the tool reads, with a single rule: it evaluates all that there are at each minute. JSON is YAML."""
    rule, test = folder / f"{name}.rule.json", folder / f"{name}.json"
    rule.write_text(json.dumps({"groups": [{"name": name, "rules": [RULES[f"Actorline{name}"]]}]}))
    groups = [_group(name, case.bad, [_firing(name, case.labels)]), _group(name, case.good, [])]
    test.write_text(json.dumps({"rule_files": [str(rule)], "evaluation_interval": "1m", "tests": groups}))
    return str(test)


def _group(name: str, series: dict[str, str], expected: list[object]) -> dict[str, object]:
    """What the tool is given: the series, and what the alert must be at the end."""
    return {
        "interval": "1m",
        "input_series": [{"series": f"actorline_{each}", "values": values} for each, values in series.items()],
        "alert_rule_test": [
            {"eval_time": f"{MINUTES}m", "alertname": f"Actorline{name}", "exp_alerts": expected},
        ],
    }


def _firing(name: str, labels: Mapping[str, str]) -> dict[str, object]:
    rule = RULES[f"Actorline{name}"]
    summary = re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], rule["annotations"]["summary"])
    return {
        "exp_labels": {**rule["labels"], **labels},
        "exp_annotations": {**rule["annotations"], "summary": summary},
    }


def test_prometheus_accepts_its_configuration(promtool):
    promtool("check", "config", "--syntax-only", str(ROOT / "config" / "prometheus.yml"))
