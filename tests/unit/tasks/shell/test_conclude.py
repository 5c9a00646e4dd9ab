"""When a task that waits comes again."""

import pytest

from actorline.jobs.step import Wait
from tasks.shell import conclude as module


@pytest.mark.parametrize(
    ("step", "late_s", "countdown"),
    [
        (Wait(5), 0, 5),
        (Wait(5), 2, 3),  # so that polls stay evenly spaced
        (Wait(5), 60, module.MIN_COUNTDOWN_SECS),
        (Wait(7, at_least_s=7), 2, 7),  # the platform has asked for it
    ],
)
def test_lateness_is_made_up_for_but_not_against_the_platforms_wish(monkeypatch, step, late_s, countdown):
    class Again(Exception): ...

    monkeypatch.setattr(module, "report_to_callers", lambda _: None)
    monkeypatch.setattr(module, "again", lambda _, seconds: Again(seconds))
    with pytest.raises(Again) as raised:
        module.conclude(None, "key", step, late_s=late_s)
    assert raised.value.args == (countdown,)
