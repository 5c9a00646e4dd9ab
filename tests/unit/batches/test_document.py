"""Batch documents: refused as strictly as a job's, with the field and the reason."""

import re
from typing import Any

import pytest

from actorline.batches.document import parse_batch
from actorline.batches.inputs.line import MOST_INPUTS
from actorline.batches.inputs.listed import listed_inputs
from actorline.errors import Code, Refused

GOOD: dict[str, Any] = {"template": {"actor": "demo/rows"}, "inputs": [{"page": 1}]}


def refusal(raw: Any) -> str:
    with pytest.raises(Refused) as refused:
        listed_inputs(parse_batch(raw))
    assert refused.value.reason.code in {Code.DOCUMENT_INVALID, Code.INPUT_INVALID}
    assert "Nothing was started." in str(refused.value)
    return str(refused.value)


BAD = {
    "no source": ({"inputs": None}, "give exactly one of inputs, inputs_url, split; none is given"),
    "two sources": ({"inputs_url": "https://x/y"}, "inputs and inputs_url are given"),
    "no inputs": ({"inputs": []}, "there are no inputs"),
    "an input that is no object": ({"inputs": [{}, [1]]}, "inputs[1] must be an object, not a list"),
    "an input too deep": ({"inputs": [{"a": "\ud800"}]}, "inputs[0]"),
    "a million inputs": ({"inputs": [{}] * 1_000_000}, f"there are more than {MOST_INPUTS:,} inputs"),
    "a key too long for members": ({"key": "k" * 194}, "key: may have 193 characters"),
    "no template": ({"template": None}, "template: must be"),
    "a template that reuses": ({"template": {"actor": "a/b", "reuse_secs": 9}}, "template: reuse_secs doesn't belong"),
    "a template with an input": ({"template": {"actor": "a/b", "input": {}}}, "template: input doesn't belong here"),
    "a template with a sink": ({"template": {"actor": "a/b", "sink": {"url": "file:///x/"}}}, "give sink outside"),
    "a template of a run": ({"template": {"run_id": "abc"}}, "each member starts a run"),
    "a wrong name": ({"max_runing": 3}, 'max_runing: is not known (did you mean "max_running"?)'),
    "a wrong name in the template": (
        {"template": {"actor": "a/b", "options": {"memory": 1}}}, 'did you mean "memory_mbytes"?',
    ),
    "camel case": ({"maxRunning": 3}, 'did you mean "max_running"?'),
    "no members at a time": ({"max_running": 0}, "max_running: must be greater than or equal to 1"),
    "failures beyond all": ({"stop_after_failures": 2**53}, "stop_after_failures: must be at most"),
    "a deadline after all": ({"deadline_secs": 1e300}, "deadline_secs: must be at most 315,360,000"),
    "a budget of 0": ({"budget_usd": 0}, "budget_usd: must be greater than 0"),
    "the batch's own label": ({"labels": {"batch": "x"}}, "labels.batch is set by the batch itself"),
    "a split without its list": (
        {"inputs": None, "split": {"input": {"a": 1}, "field": "b", "size": 2}}, "split.input.b must be a list",
    ),
    "a split of no list": (
        {"inputs": None, "split": {"input": {"b": "x"}, "field": "b", "size": 2}}, "it is a string",
    ),
    "a split of nothing": ({"inputs": None, "split": {"input": {"b": []}, "field": "b", "size": 2}}, "no inputs"),
    "a sink by run": ({"sink": {"url": "file:///x/{run_id}/"}}, "{run_id} is not known here"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_batch_is_refused_with_the_reason(name):
    fields, said = BAD[name]
    raw = {key: value for key, value in {**GOOD, **fields}.items() if value is not None or key == "template"}
    assert said in refusal(raw)


@pytest.mark.parametrize("raw", [None, [], "x", 7])
def test_batch_that_is_no_object_is_refused(raw):
    assert "the document must be a JSON object" in refusal(raw)


def test_equal_batches_have_one_hash():
    one, other = parse_batch({**GOOD, "key": "a", "max_running": 20}), parse_batch({**GOOD, "labels": {"x": "y"}})
    lines = listed_inputs(one)
    assert re.fullmatch("[0-9a-f]{64}", one.body_hash(lines))
    assert one.body_hash(lines) == other.body_hash(lines)
    assert one.body_hash([*lines, b"{}"]) != one.body_hash(lines)
