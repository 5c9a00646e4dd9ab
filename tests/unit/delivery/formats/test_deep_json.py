import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actorline.delivery.formats import deep_json
from actorline.delivery.formats.deep_json import is_closed, parse_deep, with_whole_characters

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('a"\\\\[]{},:\\n', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"]{', max_size=2), inner, max_size=3),
    max_leaves=12,
)
containers = st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=2), values, max_size=3)


@pytest.fixture(autouse=True, scope="module")
def _small_pieces():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deep_json, "PIECE_LEVELS", 2)
        patch.setattr(deep_json, "JSON_BLOCK_BYTES", 3)
        yield


@given(value=values)
def test_a_text_taken_apart_has_the_value_of_the_whole(value):
    assert parse_deep(json.dumps(value).encode()) == value


@given(value=containers, levels=st.integers(1, 4))
def test_what_lies_too_deep_stays_the_text_that_it_was(value, levels):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
    assert json.loads(orjson.dumps(parse_deep(text, raw_below=levels))) == json.loads(text, parse_int=deep_json._narrow)


@given(value=containers, data=st.data())
def test_a_text_is_closed_and_no_beginning_of_it_is(value, data):
    text = json.dumps(value).encode()
    assert is_closed(text)
    assert not is_closed(text[: data.draw(st.integers(1, len(text) - 1))])


@pytest.mark.parametrize("text", [b"", b"[1", b"[1}", b"[1]]", b'{"a":NaN}', b"[[[[NaN]]]]", b'["]', b"[-Infinity]"])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_deep(text)


def test_a_hundred_thousand_levels_are_read_and_written():
    text = b'{"id":18446744073709551616,"t":' + b"[" * 100_000 + b'"x"' + b"]" * 100_000 + b"}"
    value = parse_deep(text)
    assert value["id"] == 2**64
    for _ in range(100_000):
        (value,) = value.values() if isinstance(value, dict) and value.pop("id") else value
    assert value == ["x"]


def test_half_a_surrogate_is_replaced_and_a_whole_pair_stays():
    text = rb'"\ud83d\ude00 \ud83d \\ud83d \ude00 \n"'
    assert json.loads(with_whole_characters(text)) == "\U0001f600 \ufffd \\ud83d \ufffd \n"
