import pytest

from actorline.ledger.parking import ParkedJob

NOW = 1_000.0
PARKED = ParkedJob(
    account="default", epoch=1, run_id="run", run_status="RUNNING", started_at=0, every_s=5, deadline_at=None
)


@pytest.mark.parametrize(
    ("statuses", "deadline_at", "has_news"),
    [
        ({"run": "RUNNING", "other": "READY"}, None, False),
        ({"run": "TIMING-OUT"}, None, True),  # on its way to an end
        ({"other": "RUNNING"}, None, True),  # ended, or not in the list yet: its own GET tells
        ({"run": "RUNNING"}, NOW + 1, False),
        ({"run": "RUNNING"}, NOW - 1, True),
    ],
)
def test_a_parked_job_has_news_when_its_run_changed_or_is_late(statuses, deadline_at, has_news):
    parked = PARKED.model_copy(update={"deadline_at": deadline_at})
    assert parked.has_news(statuses, NOW) is has_news
