import json

import pytest

from actorline.emulator.dataset.item_lines import EMPTY_EVERY
from actorline.emulator.dataset.items import BLOCK_ITEMS, ItemSource

NASTY = ItemSource("nasty", 300, seed=1)
KINDS = [NASTY, ItemSource("plain", 300, seed=1), ItemSource("tiny", 300, seed=1)]


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize(
    ("start", "stop"), [(0, 0), (0, 1), (5, 2 * BLOCK_ITEMS + 7), (BLOCK_ITEMS, 2 * BLOCK_ITEMS), (990, 1005)]
)
def test_any_window_holds_the_same_lines(source, start, stop):
    lines = [source.line(index) + b"\n" for index in range(start, stop)]
    assert b"".join(source.blocks(start, stop)) == b"".join(lines)
    assert b"".join(source.blocks_desc(start, stop)) == b"".join(reversed(lines))


@pytest.mark.parametrize("source", KINDS)
def test_each_item_is_one_line_of_json_with_its_index(source):
    for index in range(2500):
        line = source.line(index)
        assert b"\n" not in line
        item = json.loads(line)
        assert item == {} if source.kind == "nasty" and (index + 1) % EMPTY_EVERY == 0 else item["index"] == index


def test_empty_items_are_counted():
    assert sum(NASTY.line(index) == b"{}" for index in range(5000)) == NASTY.empty_items(5000) == 5


def test_nasty_items_have_all_that_json_allows():
    lines = [NASTY.line(index) for index in range(5000)]
    text = b"".join(lines).decode()
    for needle in ("\u2028", "\u2029", "\\u0000", "\\n", "\\t", '\\"', "\u202e", "\U0001d518", "18446744073709551615"):
        assert needle in text
    for fragment in ('"#debug":{', '"a.b":', '"with space":', '"nothing":{}', '"none":null', '"offers":[{'):
        assert fragment in text
    sizes = sorted(map(len, lines))
    assert sizes[0] < 20
    assert 250 < sum(sizes) / len(sizes) < 400
    assert sizes[-1] > 3000


@pytest.mark.parametrize("size", [150, 300, 5000])
def test_plain_items_are_about_as_large_as_asked(size):
    source = ItemSource("plain", size, seed=3)
    sizes = [len(source.line(index)) for index in range(1000)]
    assert abs(sum(sizes) / len(sizes) - size) < size * 0.1


def test_another_seed_makes_other_items():
    other = NASTY._replace(seed=2)
    assert b"".join(NASTY.blocks(0, 1000)) != b"".join(other.blocks(0, 1000))


def test_plain_items_drift_and_repeat_urls_as_the_script_says():
    usual, drifting = ItemSource("plain", 300, seed=1), ItemSource("plain", 300, seed=1, drift_from=10, url_count=4)
    items = [json.loads(drifting.line(index)) for index in range(20)]
    assert [item["price"] is None for item in items] == [False] * 10 + [True] * 10
    assert [item["url"][-1] for item in items[:6]] == ["0", "1", "2", "3", "0", "1"]
    assert items[2] == json.loads(usual.line(2))
