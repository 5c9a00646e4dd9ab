"""Cost and stats settle some seconds after a run's end, and then stand in the manifest."""

import pytest
from real_parts import delivery_of, wait_for

pytestmark = pytest.mark.thorough


def test_final_cost_and_stats_get_into_the_manifest(line):
    actor = line.emulator.actor("settling", items=20, duration_secs=0.5, usage_usd=0.5, figures_lag_secs=8)
    result = line.submit({"key": "settling", "actor": actor, "poll_interval_secs": 1}).get(timeout=120)
    assert result["cost_usd"] <= 0.5  # less, unless the delivery took as long as the figures
    wait_for(lambda: line.ledger.load("settling").figures_settled, what="the settled figures")
    run = delivery_of(result).manifest["run"]
    assert (run["settled"], run["cost_usd"], line.ledger.load("settling").run.cost_usd) == (True, 0.5, 0.5)
    assert run["stats"]["compute_units"] > 0
    assert delivery_of(result).manifest["complete"] is True
    assert "manifest.settled.json" not in delivery_of(result).files
    assert line.submit({"key": "settling", "actor": actor, "poll_interval_secs": 1}).get(timeout=120)["cost_usd"] == 0.5


def test_figures_of_a_job_without_a_run_are_not_asked_for(line):
    actor = line.emulator.actor("no-figures", items=20, duration_secs=0)
    dataset_id = line.submit({"key": "with-run", "actor": actor}).get(timeout=120)["dataset_id"]
    result = line.submit({"key": "without-run", "dataset_id": dataset_id}).get(timeout=120)
    assert delivery_of(result).manifest["run"] is None
