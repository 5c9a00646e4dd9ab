import json

import pytest

from actorline.emulator.dataset.transforms import Transform

ITEM = {"a": 1, "b": {"c": {"d": 2}, "e": []}, "#h": 3, "list": [{"x": 1}, {"x": 2, "a": 9}], "words": ["u", "v"]}


@pytest.mark.parametrize(
    ("transform", "items"),
    [
        (Transform(), [ITEM]),
        (Transform(skip_hidden=True, fields=("#h", "a")), [{"a": 1}]),
        (Transform(fields=("words", "a", "missing")), [{"words": ["u", "v"], "a": 1}]),
        (Transform(fields=("a", "words"), output_fields=("one", "two")), [{"one": 1, "two": ["u", "v"]}]),
        (Transform(omit=("b", "list", "words")), [{"a": 1, "#h": 3}]),
        (Transform(fields=("a", "list"), unwind=("list",)), [{"a": 1, "x": 1}, {"a": 9, "x": 2}]),
        (Transform(fields=("a", "words"), unwind=("words",)), [{"a": 1, "words": "u"}, {"a": 1, "words": "v"}]),
        (Transform(fields=("b",), unwind=("b",)), [{"c": {"d": 2}, "e": []}]),
        (Transform(fields=("a",), unwind=("a", "missing")), [{"a": 1}]),
        (Transform(fields=("b",), flatten=("b",)), [{"b.c.d": 2, "b.e": []}]),
        (Transform(fields=("missing",)), [{}]),
        (Transform(fields=("missing",), skip_empty=True), []),
    ],
)
def test_parameters_change_items_as_documented(transform, items):
    made = transform.items(ITEM)
    assert made == items
    assert [list(item) for item in made] == [list(item) for item in items]


def test_lines_are_transformed_line_by_line():
    block = b'{"a":1,"#h":2}\n{}\n{"a":"\xe2\x80\xa8"}\n'
    made = Transform(skip_hidden=True, skip_empty=True).lines(block)
    assert [json.loads(line) for line in made.removesuffix(b"\n").split(b"\n")] == [{"a": 1}, {"a": "\u2028"}]
    assert Transform(omit=("a", "#h"), skip_empty=True).lines(block) == b""
