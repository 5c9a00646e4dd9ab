"""Our clock and the platform's are an hour apart: a start whose reply was lost is found all the same, paid once."""

import pytest
from real_parts import make_line, running_emulator, running_workers

pytestmark = pytest.mark.thorough

HOUR = 3600


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["platform-ahead", "platform-behind"])
def test_lost_reply_with_clocks_an_hour_apart_is_one_run(valkey, tmp_path, ahead):
    with running_emulator("--clock-ahead", str(ahead)) as emulator:
        line = make_line(valkey, emulator, tmp_path, f"clock-{'ahead' if ahead > 0 else 'behind'}")
        actor = emulator.actor("elsewhen", items=300, duration_secs=0)
        emulator.faults({"method": "POST", "path_regex": "elsewhen/runs$", "nth": 1, "action": "reset_after"})
        with running_workers(line, "all"):
            result = line.submit({"key": "elsewhen", "actor": actor, "poll_interval_secs": 1}).get(timeout=120)
        line.client.close()
        assert [run["id"] for run in emulator.runs_of(actor)] == [result["run_id"]]
    assert (result["state"], result["adopted"], result["items"]) == ("DELIVERED", True, 300)
