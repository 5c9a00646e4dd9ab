import pytest

from actorline.jobs.ahead import LOOK_MAX_SECS, LOOK_MIN_SECS, next_look
from actorline.platform.datasets import Dataset


@pytest.mark.parametrize(
    ("elapsed", "items", "seconds"),
    [
        (20, 400, 30),  # 20 a second: 600 are missing
        (20, 990, LOOK_MIN_SECS),
        (600, 400, LOOK_MAX_SECS),
        (1, 0, LOOK_MIN_SECS),
        (40, 0, 40),  # none yet: rarer and rarer, for many a run has no rows until its end
        (86_400, 0, LOOK_MAX_SECS),
    ],
)
def test_full_pages_are_looked_for_when_one_is_likely_to_be_there(make_job, elapsed, items, seconds):
    dataset = Dataset.model_validate({"id": "d", "itemCount": items})
    job = make_job(started_at=1_000.0)
    assert next_look(job, dataset, {}, 1_000, now=1_000 + elapsed) == seconds
