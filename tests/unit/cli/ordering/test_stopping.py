"""What a command says of a job that it could not see stopped."""

import pytest

from actorline.cli.ordering.run import stopping_text
from actorline.jobs.states import State


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"state": State.QUEUED}, "k: no run was started"),
        (
            {"state": State.STARTING, "intent": {"attempt": 1, "marker": "m", "at": 1}},
            "k: a start was sent; its run isn't known yet, and may be billing",
        ),
        ({"run_id": "r1", "run_status": "RUNNING"}, "k: the run r1 is RUNNING, and may be billing"),
        ({"run_id": "r1", "run_status": "ABORTED"}, "k: the run r1 is ABORTED"),
    ],
)
def test_only_what_may_have_a_run_may_be_billing(make_job, fields, text):
    assert stopping_text(make_job(**fields)) == text
