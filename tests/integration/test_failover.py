"""Redis is handed over from one server to another, under the eyes of its sentinels."""

import pytest
from real_parts import make_line, running_workers, wait_for
from replicated_valkey import replicated_valkey


@pytest.mark.thorough
def test_job_outlives_a_handover_of_its_redis(short_folder, emulator, tmp_path):
    with replicated_valkey(short_folder, replicas=2) as replicated:
        line = make_line(replicated.address, emulator, tmp_path, "handover")
        actor = emulator.actor("handover", items=300, duration_secs=4)
        with running_workers(line, "all"):
            pending = line.submit({"key": "handover", "actor": actor, "poll_interval_secs": 1})
            wait_for(lambda: line.state("handover") == "RUNNING", what="a run under way")
            former = replicated.primary
            replicated.hand_over()
            replicated.wait_for_successor(former)
            result = pending.get(timeout=60)
        line.client.close()
    assert (result["state"], result["items"]) == ("DELIVERED", 300)
    assert [run["id"] for run in emulator.runs_of(actor)] == [result["run_id"]]
