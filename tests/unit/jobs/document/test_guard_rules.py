"""What a guard and `stop_when` need of the rest of the document."""

from typing import Any

import pytest

from actorline.errors import Refused
from actorline.jobs.document.parse import parse_document

FIELDS = {"guard": {"required": ["url"]}}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            {**FIELDS, "collect": {"format": "csv"}},
            "guard: reads rows of jsonl, json, parquet, and collect.format is csv: choose one of these",
        ),
        ({**FIELDS, "collect": {"format": "xlsx"}}, "collect.format is xlsx"),
        ({**FIELDS, "collect": {"dataset": False}}, "guard: needs rows, and collect.dataset is false"),
        ({**FIELDS, "mode": "sync"}, 'guard: needs mode "async"'),
        ({**FIELDS, "collect": {"fields": ["title"]}}, "url is not among collect.fields"),
        (
            {**FIELDS, "collect": {"fields": ["url"], "output_fields": ["link"]}},
            "url is not among collect.output_fields",
        ),
        ({**FIELDS, "collect": {"omit": ["url"]}}, "url is left out by collect.omit"),
        ({"guard": {"required": ["#debug"]}, "collect": {"clean": True}}, "#debug is hidden"),
        ({"guard": {"min_items": 5}, "collect": {"limit": 4}}, "collect.limit fetches 4 at most"),
        ({"guard": {"min_items": 5}, "stop_when": {"items": 4}}, "stop_when.items stops the run at 4"),
        ({"guard": {"silent_secs": 9}, "collect": {"desc": True}}, "collect.desc reads them after its end"),
        ({"actor": None, "dataset_id": "abc", "guard": {"silent_secs": 9}}, "dataset_id has none"),
        ({"actor": None, "run_id": "abc", **FIELDS}, "may not abort a run that was taken over"),
        ({"actor": None, "run_id": "abc", "stop_when": {"items": 4}}, "stop_when: may not stop a run"),
        ({"actor": None, "dataset_id": "abc", "stop_when": {"items": 4}}, "stop_when: needs a run to stop"),
        ({"stop_when": {"items": 4}, "collect": {"while_running": False}}, "collect.while_running is false"),
        ({"stop_when": {"items": 4}, "collect": {"limit": 3}}, "collect.limit fetches 3 at most"),
        (
            {"guard": {"unique": ["a"]}, "stop_when": {"unique": 4}, "collect": {"limit": 3}},
            "stop_when: unique is 4, and collect.limit fetches 3 rows at most",
        ),
        ({"stop_when": {"unique": 4}}, "guard.unique names, and that isn't given"),
        ({"stop_when": {"usd": 4}, "options": {"max_total_charge_usd": 3}}, "ends the run at 3"),
        ({"stop_when": {"matches": {"a": 1}}, "collect": {"omit": ["a"]}}, "stop_when: a is left out"),
        ({"guard": {"require": ["url"]}}, 'guard.require: is not known (did you mean "required"?)'),
        ({"guard": {"max_missing": 2, "required": ["a"]}}, "guard.max_missing"),
        ({"guard": {}}, "guard: has no rule"),
    ],
)
def test_what_cannot_be_judged_is_refused(document: dict[str, Any], problem: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_document({"actor": "demo/rows", **document})
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "document",
    [
        {**FIELDS, "collect": {"format": "parquet", "fields": ["url"]}},
        {**FIELDS, "collect": {"desc": True}},
        {**FIELDS, "collect": {"fields": ["title"], "unwind": ["pages"]}},
        {"guard": {"required": ["a.b"]}, "collect": {"fields": ["a"]}},
        {"actor": None, "dataset_id": "abc", **FIELDS},
        {"actor": None, "run_id": "abc", "own": True, **FIELDS, "stop_when": {"items": 3}},
        {"actor": None, "run_id": "abc", "guard": {"required": ["a"], "on_violation": "report"}},
    ],
)
def test_what_can_be_judged_is_accepted(document: dict[str, Any]) -> None:
    assert parse_document({"actor": "demo/rows", **document}).guard


def test_guard_is_part_of_the_order_and_of_its_likeness() -> None:
    plain, guarded = parse_document({"actor": "demo/rows"}), parse_document({"actor": "demo/rows", **FIELDS})
    assert plain.body_hash != guarded.body_hash
    assert plain.likeness != guarded.likeness
