"""The platform responds with nonsense, or hangs up: no second run, and every row once."""

import pytest
from real_parts import delivery_of

pytestmark = pytest.mark.thorough

HTML = {"action": "status", "status": 200, "html": "<html>Please log in to the hotel's network</html>"}
HANGS_UP = {"action": "reset_before"}


def test_nonsense_at_every_step_costs_no_second_run_and_no_row(line, faults):
    actor = line.emulator.actor("nonsense", items=900, duration_secs=2)
    faults(
        {"method": "POST", "path_regex": r"/actors/demo~nonsense/runs$", "nth": 1, **HTML},
        {"method": "GET", "path_regex": r"^/v2/actor-runs/[^/]+$", "nth": 1, "times": 2, **HTML},
        {"method": "GET", "path_regex": r"^/v2/datasets/[^/]+$", "nth": 1, **HTML},
        {"method": "GET", "path_regex": r"^/v2/datasets/[^/]+$", "nth": 2, **HANGS_UP},
        {"method": "GET", "path_regex": r"/items$", "nth": 1, "times": 2, **HTML},
        {"method": "GET", "path_regex": r"/items$", "nth": 3, "times": 2, **HANGS_UP},
    )
    document = {"key": "nonsense", "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": 300}}
    result = line.submit(document).get(timeout=120)
    assert [run["id"] for run in line.emulator.runs_of(actor)] == [result["run_id"]]
    assert (result["state"], result["items"]) == ("DELIVERED", 900)
    assert delivery_of(result).sha256 == line.emulator.expected(result["dataset_id"])["sha256"]
    assert {"start-unclear", "page-failed"} <= set(line.events("nonsense"))
