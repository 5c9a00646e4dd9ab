from typing import Any, cast

import pytest
import structlog

from actorline.jobs.states import State
from actorline.platform.errors import PlatformError, PlatformUnavailable, RateLimited
from tasks.shell import stage


@pytest.mark.parametrize(
    ("error", "failures", "seconds"),
    [
        (PlatformUnavailable("503"), 0, 2.0),
        (RateLimited("429", retry_after_s=25.0), 0, 25.0),
        (PlatformUnavailable("503", retry_after_s=1.0), 2, 8.0),
        (KeyError("x"), 1, 4.0),
    ],
)
def test_a_stage_comes_again_no_sooner_than_the_platform_asks(make_job, monkeypatch, error, failures, seconds):
    class Ledger:
        def load(self, _key: str) -> Any:
            return make_job(state=State.QUEUED, failures=failures)

        def change(self, _key: str, change: Any, **_: Any) -> int:
            planned.append(change.due_in_s)
            data.append(change.data)
            return 1

    planned: list[float] = []
    data: list[dict[str, str]] = []
    monkeypatch.setattr(stage, "ledger", lambda: cast("Any", Ledger()))
    with structlog.testing.capture_logs() as logged:
        stage.postpone("k", 1, "actorline.start_run", error)
    assert planned == [seconds]
    assert data[0].get("words") == (str(error) if isinstance(error, PlatformError) else None)
    assert logged == []  # the ledger logs what stands in the timeline
