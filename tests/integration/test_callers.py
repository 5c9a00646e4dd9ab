"""Ten callers of one key: one paid run, and each has its result and its continuations, also those that come late."""

import pytest
from callers import assert_all_served, call
from real_parts import wait_for


@pytest.mark.usefixtures("service")
def test_ten_callers_of_one_key_share_one_run_and_continue(line):
    actor = line.emulator.actor("ten", items=300, duration_secs=600)
    document = {"key": "ten", "actor": actor, "poll_interval_secs": 1}
    callers = [call(line, document) for _ in range(4)]
    wait_for(lambda: line.state("ten") == "RUNNING", what="the run")
    callers += [call(line, document) for _ in range(3)]
    line.emulator.finish(line.ledger.load("ten").run.id)
    wait_for(lambda: line.state("ten") == "DELIVERED", what="the end")
    callers += [call(line, document) for _ in range(3)]
    run_id = assert_all_served(callers, 300, within=120)
    assert [run["id"] for run in line.emulator.runs_of(actor)] == [run_id]
    wait_for(lambda: not line.ledger.callers.of("ten"), what="all callers' being known as answered")
    assert line.events("ten").count("ended") == 1
