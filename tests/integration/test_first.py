def test_one_order_gives_one_run_and_every_row(line):
    actor = line.emulator.actor("first", items=1200, duration_secs=0.5)
    result = line.submit({"key": "first", "actor": actor, "poll_interval_secs": 1}).get(timeout=30)
    assert result["state"] == "DELIVERED"
    assert result["items"] == 1200
