import pytest

from actorline.ledger.parking import SOONER_SECS, shortest_interval


@pytest.mark.parametrize(
    ("fleet", "seconds"),
    [
        ({"since": "17.5", "every:5": "9000", "every:0.5": "1", "looked": "18"}, 0.5),
        ({"since": "17.5", "every:3600": "1"}, 3600),
        ({"since": "17.5"}, SOONER_SECS),
    ],
)
def test_an_accounts_runs_are_listed_as_often_as_one_job_wants(fleet, seconds):
    assert shortest_interval(fleet) == seconds
