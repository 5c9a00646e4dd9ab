import pytest

from actorline.jobs.states import State
from actorline.upkeep.settle import FIGURES_GIVE_UP_SECS, secs_until_settled

ENDED = {"state": State.DELIVERED, "run_id": "r1", "ended_at": 10_000.0}


@pytest.mark.parametrize(
    ("fields", "after_s", "seconds"),
    [
        ({}, 4, 6),  # nothing was collected: the run ended with the job
        ({"collecting_at": 9_996.0}, 4, 2),
        ({"collecting_at": 9_000.0}, 1, 0),  # its rows took longer than figures are waited for
        ({"collecting_at": 9_000.0}, FIGURES_GIVE_UP_SECS, 0),
        ({"collecting_at": 9_000.0}, FIGURES_GIVE_UP_SECS + 1, None),
        ({"figures_settled": 1}, 4, None),
        ({"run_id": None}, 4, None),
    ],
)
def test_figures_are_given_up_some_time_after_the_jobs_end(make_job, fields, after_s, seconds):
    assert secs_until_settled(make_job(**{**ENDED, **fields}), 10_000.0 + after_s) == seconds
