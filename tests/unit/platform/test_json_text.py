"""The platform's JSON is read also where one field of it is none."""

import pytest

from actorline.platform.json_text import parse_json
from actorline.platform.runs import get_run

API = "https://api.example.test/v2"
RUN = (
    b'{"data":{"id":"r1","actId":"a","status":"SUCCEEDED","startedAt":"2026-11-24T08:00:00Z","defaultDatasetId":"d",'
    b'"defaultKeyValueStoreId":"k","stats":{"computeUnits":%b,"restartCount":2},"usageTotalUsd":0.5}}'
)
NO_NUMBERS = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1" * 400, b"-" + b"9" * 5000]


@pytest.mark.parametrize("written", NO_NUMBERS)
def test_a_run_with_a_number_that_is_none_is_read(platform, api, written):
    api.get(f"{API}/actor-runs/r1", body=RUN % written)
    run = get_run(platform, "r1")
    assert (run.status, run.stats.compute_units, run.stats.restart_count) == ("SUCCEEDED", None, 2)
    assert run.usage_total_usd == 0.5


def test_the_other_numbers_of_such_a_text_are_as_they_were():
    numbers = b"[NaN,1,-7,1.5,1e3,9223372036854775807,18446744073709551615,123456789012345678901234]"
    assert parse_json(numbers) == [None, 1, -7, 1.5, 1000.0, 2**63 - 1, 2**64, 123456789012345678901234.0]


def test_half_of_a_character_is_a_question_mark():
    assert parse_json(b'{"a":"x\\ud83d","b":NaN}') == {"a": "x?", "b": None}


@pytest.mark.parametrize("depth", [2_000, 200_000])
def test_json_of_any_depth_is_none_not_a_fault(depth):
    assert parse_json(b"[" * depth + b"NaN" + b"]" * depth) is None


@pytest.mark.parametrize("text", [b"", b"nan", b"<html>", b'{"a":', b"1e", b"\xff\xfe\xfd"])
def test_what_is_no_json_is_none(text):
    assert parse_json(text) is None
