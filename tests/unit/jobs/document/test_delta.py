"""What is compared with what: documents that are refused, and jobs that follow each other."""

import pytest

from actorline.jobs.document.parse import document_problems, parse_document
from actorline.jobs.series import Series

DUE = "2026-11-23T03:00:00Z"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"delta": {}}, "delta.key: is missing"),
        ({"delta": {"key": []}}, "delta.key: "),
        ({"delta": {"key": ["a..b"]}}, "delta.key.0: has an empty part"),
        ({"delta": {"key": ["url", "url"]}}, "delta.key: names url twice"),
        ({"delta": {"key": ["url"], "base": "../x"}}, "delta.base is neither"),
        ({"delta": {"kye": ["url"]}}, 'did you mean "key"?'),
        *(
            ({"delta": {"key": ["url"]}, "collect": {"format": name}}, f"not {name}")
            for name in ("csv", "xml", "xlsx", "html", "rss", "parquet")
        ),
        ({"delta": {"key": ["url"]}, "collect": {"dataset": False}}, "not collect.dataset false"),
        ({"delta": {"key": ["url"]}, "collect": {"omit": ["url"]}}, "delta.key: url is left out by collect.omit"),
        ({"delta": {"key": ["a.b"]}, "collect": {"fields": ["url"]}}, "a.b is not among collect.fields"),
        ({"delta": {"key": ["url"]}, "reuse_secs": 60}, "give only one"),
    ],
)
def test_a_comparison_that_cannot_be_is_refused_by_name(fields, named):
    assert any(named in problem for problem in document_problems({"actor": "a", **fields}))


def test_an_order_without_delta_has_the_hash_that_it_always_had():
    assert parse_document({"actor": "a"}).body_hash != parse_document({"actor": "a", "delta": {"key": ["k"]}}).body_hash
    assert parse_document({"actor": "a", "delta": None}).body_hash == parse_document({"actor": "a"}).body_hash


def series(key: str, labels: dict[str, str] | None = None, **fields: str) -> Series | None:
    return Series.of(key, parse_document({"actor": "a", "labels": labels or {}, **fields}))


def test_jobs_of_a_schedule_follow_each_other_with_any_labels():
    assert series(f"nightly@{DUE}", {"x": "1"}) == series("nightly@2026-11-24T03:00:00Z")
    assert series(f"nightly@{DUE}") != series(f"hourly@{DUE}")
    assert series(f"nightly@{DUE}") != series(f"nightly@{DUE}", account="other")


def test_jobs_with_the_same_labels_and_actor_follow_each_other():
    assert series("one", {"shop": "a"}) == series("two", {"shop": "a"})
    assert series("one", {"shop": "a"}) != series("two", {"shop": "b"})
    assert series("one", {"shop": "a"}) != Series.of("two", parse_document({"actor": "b", "labels": {"shop": "a"}}))
    assert series("one") is None


def test_members_of_batches_follow_those_with_their_number():
    first, second = {"batch": "x", "shop": "a"}, {"batch": "y", "shop": "a"}
    assert series("x.000001", first) == series("y.000001", second)
    assert series("x.000001", first) != series("y.000002", second)
    assert series(f"nightly@{DUE}.000001", first) == series("nightly@2026-11-24T03:00:00Z.000001", second)
    assert series("x.000001", {"batch": "x"}) is None


@pytest.mark.parametrize("key", ["one", f"nightly@{DUE}", f"nightly@{DUE}.000001", "x.000001"])
def test_a_series_knows_what_its_keys_have_in_common(key):
    found = series(key, {"shop": "a", **({"batch": "x"} if "." in key else {})})
    assert found is not None
    assert found.key_text in key
