"""What the worker processes themselves report to Prometheus, each at a port of its own."""

from collections import Counter
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from real_parts import free_port, running_workers, wait_for

pytestmark = pytest.mark.thorough


def scraped(port: int) -> Counter[str]:
    """`name{label=value,...}` -> value, of all our own series."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        text = response.read().decode()
    assert "process_resident_memory_bytes" in text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return Counter({_shown(each.name, each.labels): each.value for each in samples if each.value})


def _shown(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f"{label}={value}" for label, value in sorted(labels.items()))
    return name.removeprefix("actorline_") + (f"{{{inside}}}" if inside else "")


def test_each_worker_reports_what_it_did_at_its_own_port(own_line, faults):
    port = free_port(side_by_side=2)
    line = own_line("worker-metrics", metrics_port=str(port))
    actor = line.emulator.actor("measured-by-worker", items=50, duration_secs=0)
    faults({"method": "GET", "path_regex": "/datasets/[^/]+/items", "action": "status", "status": 500, "times": 1})
    with running_workers(line, "control", "fetch"):
        result = line.submit({"key": "measured", "actor": actor, "collect": {"page_items": 20}}).get(timeout=120)
        reported = wait_for(lambda: _with_the_end(scraped(port) + scraped(port + 1)), what="the end in the figures")
    assert result["state"] == "DELIVERED"
    # also of runs of the account that other tests left
    reads = sum(each["path"].startswith("/v2/actor-runs/") for each in line.emulator.requests("GET"))
    assert 1 <= reported["platform_requests_total{account=default,endpoint=GET actor-runs/{id},status=200}"] <= reads
    assert reported["platform_requests_total{account=default,endpoint=POST actors/{id}/runs,status=201}"] == 1
    assert reported["platform_requests_total{account=default,endpoint=GET datasets/{id}/items,status=500}"] == 1
    assert reported["page_fetches_total{outcome=stored}"] == 3
    assert not [name for name in reported if "endpoint=other" in name]
    phases = [reported[f"job_phase_seconds_sum{{phase={phase}}}"] for phase in ("wait", "run", "deliver")]
    assert reported["job_phase_seconds_sum{phase=all}"] == pytest.approx(sum(phases), abs=0.01)
    assert reported["worker_threads"] == 32
    assert reported["worker_loop_lag_seconds_count"] > 0
    assert {name for name in reported if name.startswith("worker_info")} == {
        "worker_info{kinds=doors,control,version=0.1.0}", "worker_info{kinds=fetch,version=0.1.0}",
    }  # fmt: skip


def _with_the_end(reported: Counter[str]) -> Counter[str] | None:
    return reported if reported["job_phase_seconds_count{phase=deliver}"] == 1 else None
