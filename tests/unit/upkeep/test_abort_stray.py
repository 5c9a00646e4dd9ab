"""When the cost of a run that no job wants is counted."""

from datetime import UTC, datetime

import pytest

from actorline.budgets.reservation import Reservation
from actorline.platform.runs import FINAL_FIGURES_SECS, Run
from actorline.upkeep.abort_stray import secs_until_counted

ENDED = 1_764_331_200.0


@pytest.mark.parametrize(
    ("reserved", "now", "expected"),
    [(True, ENDED, FINAL_FIGURES_SECS), (True, ENDED + 60, 0), (False, ENDED, 0)],
    ids=["too-early", "final", "no-budget"],
)
def test_a_budget_counts_a_second_run_when_its_cost_is_final(make_job, reserved, now, expected):
    reservation = Reservation(attempt=1, nano_usd=1, entries=[]) if reserved else None
    job = make_job(**({"reservation": reservation.model_dump(mode="json")} if reservation else {}))
    run = Run.model_construct(id="r2", finished_at=datetime.fromtimestamp(ENDED, UTC))
    assert secs_until_counted(job, run, now) == expected
