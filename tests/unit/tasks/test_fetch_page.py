"""When a page that could not be read is fetched again."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from actorline.delivery.formats.text import UnreadablePage
from actorline.delivery.page_plan import Window
from actorline.platform.errors import RateLimited
from actorline.settings import Settings
from actorline.stages.collect.fetch_page import PageFetch
from tasks import fetch_page
from tasks.fetch_page import PageRetry, store_page


@pytest.mark.parametrize(
    ("cause", "tries", "seconds"),
    [
        (None, 0, 0.5),
        (RateLimited("429", retry_after_s=45.0), 0, 45.0),
        (RateLimited("429", retry_after_s=1.0), 2, 2.0),
        (RateLimited("429"), 9, 8.0),
    ],
)
def test_a_page_comes_again_no_sooner_than_the_platform_asks(monkeypatch, cause, tries, seconds):
    unreadable = UnreadablePage("no")
    unreadable.__cause__ = cause
    ledger = SimpleNamespace(timeline=SimpleNamespace(add=lambda *_, **__: None))
    monkeypatch.setattr(fetch_page, "ledger", lambda: ledger)
    monkeypatch.setattr(fetch_page, "settings", Settings)
    monkeypatch.setattr(fetch_page.PageFetcher, "fetch", lambda *_, **__: unreadable)
    window = Window(page_no=0, offset=0, limit=1)
    assert store_page(cast("Any", None), "k", PageFetch(1, window, tries=tries)) == PageRetry(seconds, tries + 1)
