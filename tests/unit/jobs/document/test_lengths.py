"""What a document may weigh, and what it costs to say no."""

import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.lengths import STORED, outgrows, size_bytes
from actorline.jobs.document.parse import MAX_DOCUMENT_BYTES, document_problems

BODY_BYTES = 500_000  # the door takes 10 MB; what a byte costs is the same
FEW_BYTES = 5_000_000  # what the largest document without an input takes

PLACES = ["input", "nonsense", "labels", "collect.fields", "collect.records", "collect.view", "options",
          "options.build", "sink.url", "notify.url", "actor", "key", ""]  # fmt: skip
ATOMS = st.sampled_from([0, 1.5, "", "x", "\u0001", "\U0001f986", None, {}, [], {"": 0}, [[]], {"url": ""}])


def listed(atom: Any) -> list[Any]:
    return [atom] * (BODY_BYTES // (len(json.dumps(atom)) + 1))


def named(atom: Any) -> dict[str, Any]:
    return {f"a{number}": atom for number in range(BODY_BYTES // (len(json.dumps(atom)) + 11))}


def written(atom: Any) -> str:
    text = json.dumps(atom)
    return text * (BODY_BYTES // len(text))


@st.composite
def large_orders(draw: Any) -> dict[str, Any]:
    """One place of a document holds megabytes of one thing."""
    value = draw(st.sampled_from([listed, named, written]))(draw(ATOMS))
    place = draw(st.sampled_from(PLACES))
    section, _, name = place.partition(".")
    if not place:
        return {"actor": "x", **(value if isinstance(value, dict) else {"priority": value})}
    return {"actor": "x", section: {name: value} if name else value}


@settings(max_examples=15, deadline=None)
@given(large_orders())
def test_a_large_order_costs_a_few_times_its_size_and_seconds(raw):
    began = time.process_time()
    tracemalloc.start()
    try:
        problems = document_problems(raw)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len("; ".join(problems)) < 4_000
    assert peak < 12 * BODY_BYTES + FEW_BYTES
    assert time.process_time() - began < 60


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": {f"a{number}": "x" for number in range(64)}},
        {"collect": {"fields": ["a"] * 1_000}},
        {"collect": {"records": ["OUTPUT"] * 1_000}},
        {"collect": {"view": "x" * 200}},
        {"options": {"build": "x" * 100}},
        {"input": ["x" * MAX_DOCUMENT_BYTES]},
        {"options": {"timeout_secs": 315_360_000, "max_items": 2**53 - 1, "max_total_charge_usd": 9_000_000}},
        {"deadline_secs": 315_360_000.0, "collect": {"limit": 2**53 - 1, "offset": 2**53 - 1}},
    ],
)
def test_the_longest_that_is_allowed_is_taken(fields):
    assert document_problems({"actor": "x", **fields}) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"labels": {f"a{number}": "x" for number in range(65)}}, "labels: has 65 entries; at most 64"),
        ({"collect": {"fields": ["a"] * 1_001}}, "collect.fields: has 1,001 entries; at most 1,000"),
        ({"collect": {"omit": ["a" * 501]}}, "collect.omit.0: has 501 characters; at most 500"),
        ({"collect": {"fields": ["a" * 80] * 100}}, "collect makes a URL with"),
        ({"collect": {"records": ["A"] * 1_001}}, "collect.records: has 1,001 entries"),
        ({"collect": {"view": "x" * 201}}, "collect.view: has 201 characters"),
        ({"collect": {"delimiter": ";" * 21}}, "collect.delimiter: has 21 characters"),
        ({"options": {"build": "x" * 101}}, "options.build: has 101 characters"),
        ({"sink": {"url": "file:///" + "x" * 2_000}}, "sink.url: has 2,008 characters"),
        ({"labels": {"a": "x" * MAX_DOCUMENT_BYTES}}, "more than 65,536 bytes without its input"),
        ({"nonsense": ["\u0001"] * 10_000}, "more than 65,536 bytes without its input"),
        ({"options": {"timeout_secs": 10**20}}, "options.timeout_secs: must be at most 315,360,000"),
        ({"options": {"max_items": 10**23}}, "options.max_items: must be at most 9,007,199,254,740,991"),
        ({"options": {"max_total_charge_usd": 1e308}}, "options.max_total_charge_usd: must be at most 9,000,000"),
        ({"deadline_secs": 1e300}, "deadline_secs: must be at most 315,360,000"),
        ({"reuse_secs": 10**20}, "reuse_secs: must be at most 315,360,000"),
        ({"on_failure": {"resurrect_timeout_secs": 10**9}}, "on_failure.resurrect_timeout_secs: must be at most"),
        ({"collect": {"limit": 2**53}}, "collect.limit: must be at most 9,007,199,254,740,991"),
        ({"collect": {"offset": 2**53}}, "collect.offset: must be at most 9,007,199,254,740,991"),
        ({"guard": {"min_items": 2**53}}, "guard.min_items: must be at most"),
        ({"guard": {"max_usd_per_1000": 1e9}}, "guard.max_usd_per_1000: must be at most"),
        ({"guard": {"silent_secs": 1e9}}, "guard.silent_secs: must be at most"),
        ({"stop_when": {"items": 2**53}}, "stop_when.items: must be at most"),
        ({"stop_when": {"usd": 1e9}}, "stop_when.usd: must be at most"),
    ],
)
def test_what_is_longer_or_greater_is_refused_with_the_most(fields, words):
    (problem,) = document_problems({"actor": "x", **fields})
    assert words in problem


def test_of_thousands_of_problems_ten_are_told():
    raw = {"actor": "x", "options": {f"a{number}": 0 for number in range(5_000)}}
    assert [text.partition(":")[0] for text in document_problems(raw)] == [f"options.a{number}" for number in range(10)]


def test_what_an_earlier_version_took_can_still_be_read():
    """Its jobs are in the ledger, and have to be polled, collected and shown."""
    stored = {"actor": "x", "labels": {f"a{n}": "x" for n in range(9_000)}, "collect": {"fields": ["a" * 600] * 2_000}}
    order = JobDocument.model_validate({**stored, "deadline_secs": 1e300}, context=STORED)
    assert (len(order.labels), len(order.collect.fields), order.deadline_secs) == (9_000, 2_000, 1e300)


@settings(max_examples=30)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_nothing_outgrows_its_own_size(value):
    assert not outgrows(value, size_bytes(value))
