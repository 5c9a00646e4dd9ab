"""Lists of keys as only a broken server sends them; a job that is stopped meanwhile."""

from itertools import cycle
from types import SimpleNamespace

import pytest

from actorline.delivery.record_index import RecordBlock
from actorline.platform.errors import PlatformUnavailable
from actorline.platform.key_value_stores import KeysPage
from actorline.stages.collect import record_blocks
from actorline.stages.collect.record_blocks import StoreKeeper


def page(*keys, more=None):
    items = [{"key": key} for key in keys]
    return KeysPage.from_platform({"items": items, "isTruncated": more is not None, "nextExclusiveStartKey": more})


@pytest.fixture
def stored(monkeypatch):
    """Return a function that stores all records of the pages, and gives the keys that were asked for."""

    def store_all(pages, *, known=None, is_stopped=False):
        asked, left = [], iter(pages)
        monkeypatch.setattr(record_blocks, "get_keys", lambda *_, **__: next(left))
        sink = SimpleNamespace(files_in=lambda _: {})

        def store(keys, *, are_listed):
            assert are_listed
            asked.extend(keys)
            return [], []

        keeper = SimpleNamespace(sink=sink, folder="", platform=None, store_id="s", store=store)
        pages_kept = SimpleNamespace(record_blocks=lambda *_: known or {}, keep_record_block=lambda *_: None)
        job = SimpleNamespace(key="k", attempt=1, retries=0)
        StoreKeeper(keeper, SimpleNamespace(pages=pages_kept), job, is_stopped).store_all()
        return asked

    return store_all


@pytest.mark.parametrize("rest", [[page("C")], []])
def test_key_that_is_in_a_page_twice_is_stored_once(stored, rest):
    first = page("A", "B", "A", more="B" if rest else None)
    assert stored([first, *rest]) == ["A", "B", *("C" for _ in rest)]


def test_list_that_goes_round_in_a_circle_is_left(stored):
    with pytest.raises(PlatformUnavailable, match="in a circle"):
        stored(cycle([page("A", more="A"), page("B", more="B"), page("C", more="C")]))


def test_stopped_job_fetches_no_further_records(stored):
    first = RecordBlock(after=None, last_key="A", index=None)
    assert stored([page("B")], known={0: first}, is_stopped=True) == []
    assert stored([page("B")], known={0: first}) == ["B"]
    assert stored([page("A", more="A"), page("B")], is_stopped=True) == []
    assert stored([page("A")], is_stopped=True) == ["A"], "of a small store all are kept"
