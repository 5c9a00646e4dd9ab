import datetime as dt
import json

import pytest

from actorline.errors import Refused
from actorline.jobs.document.json_faults import find_fault
from actorline.jobs.document.parse import document_problems, parse_document

HALF = "\ud83d"
SAID = "has half of a character (\\ud83d, one of a surrogate pair), which is not valid text"


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"q": HALF}, f"input.q: {SAID}"),
        ({"a": [1, {"b": f"cut {HALF}"}]}, f"input.a[1].b: {SAID}"),
        ({HALF: 1}, f"input.\\ud83d: {SAID}"),
        ({"since": dt.date(2026, 11, 1)}, "input.since: is a date, which is not JSON; give it as text"),
        ({"n": float("nan")}, "input.n: is NaN or infinite, which is not JSON"),
        ({"n": [True, None, 1, 2.5, "\U0001f600", {}]}, ""),
    ],
)
def test_what_cannot_be_sent_is_named_with_its_place(value, fault):
    assert find_fault(value, "input") == fault
    assert document_problems({"actor": "a/b", "input": value}) == ([fault] if fault else [])


def test_what_is_only_nested_too_deeply_says_so():
    deep = json.loads("[" * 400 + "]" * 400)
    assert find_fault(deep, "input") == ""
    (problem,) = document_problems({"actor": "a/b", "input": deep})
    assert problem == "input: is nested too deeply"


@pytest.mark.parametrize(
    "document",
    [
        {"key": HALF},
        {"labels": {"a": HALF}},
        {"labels": {HALF: "a"}},
        {"collect": {"view": HALF}},
        {"collect": {"fields": ["a", HALF]}},
        {"sink": {"url": HALF}},
        {"notify": {"url": HALF}},
        {"input_url": f"https://a.test/{HALF}"},
        {"options": {"build": HALF}},
        {HALF: 1},
        {"account": HALF},
    ],
)
def test_half_a_character_is_refused_wherever_it_is(document):
    with pytest.raises(Refused, match="has half of a character") as refused:
        parse_document({"actor": "a/b", **document})
    refused.value.reason.model_dump_json()  # a response can hold it
