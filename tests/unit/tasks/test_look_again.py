"""What becomes of a second search for an unclear start that the platform refuses."""

from unittest.mock import MagicMock

import pytest

from actorline.platform.errors import AuthFailed, Forbidden, PlatformUnavailable
from tasks import look_again


@pytest.mark.parametrize(
    ("error", "is_given_up"),
    [(Forbidden("403"), True), (AuthFailed("401"), False), (PlatformUnavailable("503"), False)],
)
def test_second_search_ends_where_the_token_may_not_list_runs(monkeypatch, error, is_given_up):
    ledger = MagicMock()
    for name in ("platform", "slots", "installation"):
        monkeypatch.setattr(look_again, name, MagicMock())
    monkeypatch.setattr(look_again, "ledger", lambda: ledger)
    monkeypatch.setattr(look_again.orphans, "make_second_search", MagicMock(side_effect=error))
    monkeypatch.setattr(look_again.orphans, "close_resurrection", lambda *_: True)
    look_again.look_again("k", 1)
    assert ledger.agenda.forget_second_search.called is is_given_up
