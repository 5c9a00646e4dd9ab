import json

import pytest

from actorline.json_size import fitting, json_size


@pytest.mark.parametrize("text", ["", "price", 'a "b"\n', "\u4ef7\u683c", "\U0001f600", "\ud83d"])
def test_size_is_that_of_celerys_json(text):
    assert json_size(text) == len(json.dumps(text).encode()) - len('""')


@pytest.mark.parametrize(
    ("text", "size_bytes", "kept"),
    [
        ("price", 5, "price"),
        ("price", 4, "pric"),
        ("price", 0, ""),
        ("\u4ef7\u683c", 12, "\u4ef7\u683c"),
        ("\u4ef7\u683c", 11, "\u4ef7"),
        ("\U0001f600", 11, ""),
        ('"""', 5, '""'),
    ],
)
def test_as_many_whole_characters_are_kept_as_fit(text, size_bytes, kept):
    assert fitting(text, size_bytes) == kept
