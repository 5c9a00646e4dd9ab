"""What becomes of a second search for an unclear start that the platform refuses."""

from unittest.mock import MagicMock

import pytest

from actorline.platform.errors import AuthFailed, Forbidden, PlatformUnavailable
from tasks import sweep


@pytest.mark.parametrize(
    ("error", "is_given_up"),
    [(Forbidden("403"), True), (AuthFailed("401"), False), (PlatformUnavailable("503"), False)],
)
def test_second_search_ends_where_the_token_may_not_list_runs(monkeypatch, error, is_given_up):
    ledger = MagicMock()
    for name in ("platform", "slots", "installation"):
        monkeypatch.setattr(sweep, name, MagicMock())
    monkeypatch.setattr(sweep, "ledger", lambda: ledger)
    monkeypatch.setattr(sweep.orphans, "look_again", MagicMock(side_effect=error))
    monkeypatch.setattr(sweep.orphans, "close_resurrection", lambda *_: True)
    sweep.look_again("k", 1)
    assert ledger.agenda.forget_second_search.called is is_given_up
