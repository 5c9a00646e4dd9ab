"""The last look at a run before its rows are delivered."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from actorline.jobs.states import State
from actorline.platform.errors import Forbidden, NotFound, PlatformUnavailable, UnusableResponse
from actorline.settings import Settings
from actorline.stages.collect import run_again
from actorline.stages.collect.run_again import LastLook, has_run_on

ENDED_AT = "2026-11-30T10:00:00.000Z"
LATER = datetime(2026, 11, 30, 10, 5, tzinfo=UTC)
ENDED = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("is_terminal", "known", "finished_at", "resurrections", "has"),
    [
        (False, ENDED_AT, None, 0, True),  # the platform took the end back
        (True, ENDED_AT, ENDED, 0, False),
        (True, ENDED_AT, ENDED, 3, False),  # resurrected before its end was seen
        (True, ENDED_AT, LATER, 1, True),
        (True, ENDED_AT, LATER, 0, False),  # a platform that names another time with each response
        (True, None, LATER, 1, False),
        (True, ENDED_AT, None, 1, False),
    ],
)
def test_run_has_run_on_if_it_is_running_or_ended_later(make_job, is_terminal, known, finished_at, resurrections, has):
    run = SimpleNamespace(
        is_terminal=is_terminal, finished_at=finished_at, stats=SimpleNamespace(resurrect_count=resurrections)
    )
    assert has_run_on(make_job(run_id="r", run_finished_at=known), cast("Any", run)) is has


@pytest.fixture
def last_look(monkeypatch):
    """Return a function that reads a job's run, which fails with an error."""

    def read(job: Any, error: Exception, *, is_needed: bool = False) -> Any:
        def fail(*_: Any) -> Any:
            raise error

        monkeypatch.setattr(run_again, "get_run", fail)
        return LastLook(cast("Any", None), cast("Any", None), Settings()).read(job, is_needed=is_needed)

    return read


@pytest.mark.parametrize(
    "error", [NotFound("gone"), Forbidden("no"), UnusableResponse("no status"), PlatformUnavailable("silence")]
)
def test_rows_outlive_a_run_that_can_not_be_read(make_job, last_look, error):
    assert last_look(make_job(state=State.COLLECTING, run_id="r"), error) is None


def test_delivery_waits_for_a_cost_that_judges_it_no_cancel_does(make_job, last_look):
    silent = PlatformUnavailable("silence")
    with pytest.raises(PlatformUnavailable):
        last_look(make_job(state=State.COLLECTING, run_id="r"), silent, is_needed=True)
    job = make_job(state=State.COLLECTING, run_id="r", wanted="cancel")
    assert last_look(job, silent, is_needed=True) is None


@pytest.mark.parametrize(
    ("order", "fields"),
    [({"dataset_id": "d"}, {}), ({"run_id": "r"}, {"run_id": "r", "wanted": "cancel"})],  # none; not ours to abort
)
def test_run_that_is_left_alone_is_not_asked_for(make_job, last_look, order, fields):
    assert last_look(make_job(order=order, state=State.COLLECTING, **fields), AssertionError("asked")) is None
