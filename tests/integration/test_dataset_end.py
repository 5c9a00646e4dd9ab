"""When the end of a dataset is believed: as soon as the platform's lagging counter has reached it."""

import pytest
from real_parts import delivery_of, running_line

pytestmark = pytest.mark.thorough

COUNTERS = {"in-time": {}, "late": {"counter_lag_secs": 3}, "told-less": {"initial_total": 10, "counter_lag_secs": 3}}


@pytest.fixture(scope="module")
def patient_line(valkey, emulator, tmp_path_factory):
    """A line that gives counters ten minutes: a job that waits for that doesn't end here."""
    home = tmp_path_factory.mktemp("patient")
    with running_line(valkey, emulator, home, "patient", dataset_lag_secs="600") as line:
        yield line


@pytest.mark.parametrize("counters", COUNTERS)
def test_dataset_ends_at_an_empty_page_the_counter_agrees_with(patient_line, counters):
    actor = patient_line.emulator.actor(f"end-{counters}", items=300, duration_secs=0.2, **COUNTERS[counters])
    order = patient_line.submit({"key": f"end-{counters}", "actor": actor, "poll_interval_secs": 1})
    result = order.get(timeout=120)
    assert (result["state"], result["items"]) == ("DELIVERED", 300)
    assert delivery_of(result).sha256 == patient_line.emulator.expected(result["dataset_id"])["sha256"]
