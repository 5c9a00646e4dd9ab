from typing import Any, cast

import pytest

from actorline.jobs.finishing import Finisher
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.step import Wait
from actorline.settings import Settings


class LedgerOfOneJob:
    """A job that collects, and has no page yet."""

    def __init__(self, job: Job, now: float) -> None:
        self.job, self._now = job, now
        self.cared_for_after: float | None = None

    def load(self, *_: Any) -> Job:
        return self.job

    def pages(self, *_: Any) -> dict[int, Any]:
        return {}

    def now(self) -> float:
        return self._now

    def change(self, *_: Any, care_s: float, **__: Any) -> int:
        self.cared_for_after = care_s
        return self.job.epoch


@pytest.mark.parametrize("format_", ["xml", "xlsx"])
def test_one_file_of_all_rows_is_waited_for_and_not_asked_for_in_a_busy_loop(make_job, format_):
    job = make_job(
        order={"actor": "apify/x", "collect": {"format": format_}},
        state=State.COLLECTING, collecting_at=1000.0, dataset_id="d",
    )  # fmt: skip
    ledger = LedgerOfOneJob(job, now=1003.0)
    finisher = Finisher(cast("Any", ledger), cast("Any", None), Settings(dataset_lag_secs=10), "here")
    assert finisher.advance("k", 1, "x") == Wait(7.0)
    assert ledger.cared_for_after is not None
    assert ledger.cared_for_after > 7.0, "upkeep sends it again while it waits"
