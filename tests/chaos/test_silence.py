"""The platform accepts a request, carries it out, and never responds: no second run, and every row once."""

import pytest
from cases import start_faulty_worker
from real_parts import delivery_of, make_line, running_emulator

SILENT = {"action": "delay", "secs": 3600, "nth": 1}


@pytest.mark.timeout(120)
def test_silence_at_every_step_costs_no_second_run_and_no_row(valkey, tmp_path):
    with running_emulator() as emulator:
        line = make_line(valkey, emulator, tmp_path, "silence")
        actor = emulator.actor("silence", items=600, duration_secs=5)
        emulator.faults(
            {"method": "POST", "path_regex": "/runs$", **SILENT},
            {"method": "GET", "path_regex": "^/v2/actor-runs/[^/]+$", **SILENT},
            {"method": "GET", "path_regex": "^/v2/datasets/[^/]+$", **SILENT},
            {"method": "GET", "path_regex": "/items$", **SILENT},
        )
        worker = start_faulty_worker(line, {"CHAOS_PATIENCE": "3"})
        try:
            document = {"key": "silence", "actor": actor, "poll_interval_secs": 1, "collect": {"page_items": 300}}
            result = line.submit(document).get(timeout=90)
        finally:
            worker.terminate()
            worker.wait(60)
            line.client.close()
        assert [run["id"] for run in emulator.runs_of(actor)] == [result["run_id"]]
        assert (result["state"], result["adopted"], result["items"]) == ("DELIVERED", True, 600)
        assert delivery_of(result).sha256 == emulator.expected(result["dataset_id"])["sha256"]
