import json
import re
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actorline.errors import Code, Refused
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.parse import MAX_INPUT_BYTES, parse_document
from actorline.jobs.job_key import fresh_key

SECRET = "pA55-w0rd-of-the-customer"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
any_json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
strict_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(string.printable, max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(string.printable, max_size=9), inner, max_size=4)
    ),
)


def almost(model: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the fields of a section, right and wrong ones."""
    names = st.sampled_from([*model.model_fields, "nonsense", "memoryMbytes", "timeout"])
    likely = st.sampled_from([0, 1, 5, 512, 1.5, "x", "apify/x", "jsonl", "gzip", True, [], ["a"], {}])
    return st.dictionaries(names, likely | any_json, max_size=4)


sections = {
    name: almost(field.annotation)
    for name, field in JobDocument.model_fields.items()
    if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields")
}
documents = almost(JobDocument) | st.builds(
    lambda base, more: {"actor": "apify/x", **base, **more},
    almost(JobDocument),
    st.fixed_dictionaries({}, optional=sections),
)


def parse_or_reason(raw: Any) -> JobDocument | str:
    try:
        return parse_document(raw)
    except Refused as refused:
        return str(refused)


def refusal(raw: Any) -> str:
    with pytest.raises(Refused) as caught:
        parse_document(raw)
    assert caught.value.reason.code is Code.DOCUMENT_INVALID
    assert caught.value.reason.billed is False
    return caught.value.reason.message


@settings(max_examples=60)
@given(any_json | documents)
def test_whatever_comes_in_is_taken_or_refused_with_a_reason(raw):
    outcome = parse_or_reason(raw)
    if isinstance(outcome, str):
        assert outcome.endswith("Nothing was started.")
        assert len(outcome.encode()) < 4_000
    else:
        assert parse_document(json.loads(outcome.model_dump_json())) == outcome


FULL = {
    "version": 1, "key": "prices", "actor": "apify/x", "input": {"startUrls": [{"url": "https://example.com"}]},
    "options": {"memory_mbytes": 1024, "timeout_secs": 60, "build": "latest", "max_items": 5},
    "collect": {"fields": ["a", "b"], "output_fields": ["c", "d"], "records": ["OUTPUT"], "limit": 9},
    "sink": {"url": "file:///srv/{key}/", "compression": "none"}, "labels": {"shop": "one"}, "priority": 3,
}  # fmt: skip


@st.composite
def mutated(draw: Any) -> Any:
    """A good document in which one thing, at any depth, is another one, or gone, or in deep company."""
    document = json.loads(json.dumps(FULL))
    place: Any = document
    while True:
        name = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[name], dict | list) or not place[name] or draw(st.booleans()):
            break
        place = place[name]
    match draw(st.sampled_from(["other", "gone", "renamed", "deep"])):
        case "other":
            place[name] = draw(any_json)
        case "gone":
            del place[name]
        case "renamed" if isinstance(place, dict):
            place[draw(st.text(max_size=9))] = place.pop(name)
        case _:
            for _ in range(draw(st.sampled_from([1, 3, 900, 20_000]))):
                place[name] = [place[name]]
    return document


@settings(max_examples=100)
@given(mutated())
def test_a_document_with_one_mistake_is_refused_with_a_reason(raw):
    outcome = parse_or_reason(raw)
    if isinstance(outcome, str):
        assert outcome.endswith("Nothing was started.")
        assert len(outcome.encode()) < 4_000
    else:
        assert parse_document(json.loads(outcome.model_dump_json())).body_hash == outcome.body_hash


@pytest.mark.parametrize(
    "raw",
    [
        {"\ud800": 1},
        {"actor": "\ud800"},
        {"actor": "x", "input": "\ud800"},
        {"actor": "x", "labels": {"\ud800": "y"}},
        {"actor": "x", "input": float("nan")},
        {"actor": "x", "input": object()},
        {"actor": "x", "priority": 10**5000},
        {"actor": "x", "poll_interval_secs": 10**400},
        {"actor": "x", "deadline_secs": float("inf")},
        {1: 2},
    ],
)
def test_what_is_no_json_is_refused_too(raw):
    refusal(raw)


def test_an_input_nested_too_deeply_is_refused():
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "input: is nested too deeply" in refusal({"actor": "x", "input": deep})


@settings(max_examples=50)
@given(
    body=strict_json,
    key=st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._\-@:+]{0,20}", fullmatch=True),
    label=st.text(max_size=9),
    seed=st.randoms(use_true_random=False),
)
def test_the_hash_is_the_body_alone_in_any_order(body, key, label, seed):
    plain = {"actor": "apify/x", "input": body, "options": {"build": "latest", "max_items": 3}, "priority": 5}
    named = {**plain, "key": key, "labels": {"team": label}, "notify": {}}
    shuffled = shuffle(named, seed)
    assert parse_document(shuffled).body_hash == parse_document(plain).body_hash


def shuffle(value: Any, seed: Any) -> Any:
    if isinstance(value, dict):
        names = list(value)
        seed.shuffle(names)
        return {name: shuffle(value[name], seed) for name in names}
    return [shuffle(each, seed) for each in value] if isinstance(value, list) else value


def test_notify_is_not_part_of_the_hash():
    plain = JobDocument.model_validate({"actor": "x"})
    notified = JobDocument.model_validate({"actor": "x", "notify": {"task": "ours.done", "queue": "ours"}})
    assert notified.body_hash == plain.body_hash


@pytest.mark.parametrize(
    "default",
    [
        {"version": 1},
        {"input": None},
        {"options": {}},
        {"collect": {"records": ["OUTPUT"], "dataset": True}},
        {"poll_interval_secs": 5},
        {"poll_interval_secs": 5.0},
        {"deadline_secs": None},
    ],
)
def test_a_default_that_is_written_out_makes_no_other_job(default):
    assert parse_document({"actor": "x", **default}).body_hash == parse_document({"actor": "x"}).body_hash


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "y"},
        {"input": {}},
        {"input": {"a": 1}},
        {"options": {"memory_mbytes": 512}},
        {"collect": {"clean": True}},
        {"sink": {"url": "file:///srv/x/"}},
        {"account": "other"},
        {"priority": 0},
        {"deadline_secs": 60},
    ],
)
def test_every_other_change_makes_another_job(change):
    assert parse_document({"actor": "x", **change}).body_hash != parse_document({"actor": "x"}).body_hash


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({}, []),
        ({"actor": None, "actor_task": "x"}, ["actor", "actor_task"]),
        ({"options": {"build": "beta", "memory_mbytes": 512}}, ["options.build"]),
        ({"collect": {"limit": 5}, "options": {}}, ["collect.limit", "options.memory_mbytes"]),
        ({"key": "other", "labels": {"a": "b"}, "notify": {"task": "t"}}, []),
        ({"input": {"password": SECRET}}, []),
    ],
)
def test_fields_that_make_it_another_order_are_named(change, fields):
    one = parse_document({"actor": "x", "options": {"memory_mbytes": 512}})
    other = parse_document({"actor": "x", "options": {"memory_mbytes": 512}, **change})
    assert one.differing_fields(other) == other.differing_fields(one) == fields


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"timeout": 1}, 'timeout: is not known (did you mean "options.timeout_secs"?)'),
        ({"timeoutSecs": 1}, 'timeoutSecs: is not known (did you mean "options.timeout_secs"?)'),
        ({"memoryMbytes": 1}, 'memoryMbytes: is not known (did you mean "options.memory_mbytes"?)'),
        ({"memory": 1}, 'memory: is not known (did you mean "options.memory_mbytes"?)'),
        ({"maxItems": 1}, 'maxItems: is not known (did you mean "options.max_items"?)'),
        ({"skipEmpty": 1}, 'skipEmpty: is not known (did you mean "collect.skip_empty"?)'),
        ({"actorId": "x"}, 'actorId: is not known (did you mean "actor"?)'),
        ({"taskId": "x"}, 'taskId: is not known (did you mean "actor_task"?)'),
        ({"datasetId": "x"}, 'datasetId: is not known (did you mean "dataset_id"?)'),
        ({"inputs": {}}, 'inputs: is not known (did you mean "input"?)'),
        ({"limit": 5}, 'limit: is not known (did you mean "collect.limit"?)'),
        ({"options": {"timeout": 1}}, 'options.timeout: is not known (did you mean "timeout_secs"?)'),
        ({"options": {"maxTotalChargeUsd": 1}}, '(did you mean "max_total_charge_usd"?)'),
        (
            {"options": {"priority": 1}},
            'options.priority: is not known (did you mean "priority", outside of "options"?)',
        ),
        ({"collect": {"skipHidden": 1}}, 'collect.skipHidden: is not known (did you mean "skip_hidden"?)'),
        ({"collect": {"memory": 1}}, 'collect.memory: is not known (did you mean "options.memory_mbytes"?)'),
        ({"zzzzzz": 1}, "zzzzzz: is not known."),
        ({"options": {"memory_mbytes": 1000}}, "options.memory_mbytes: must be a power of 2: use 512 or 1024"),
        ({"options": {"memory_mbytes": 64}}, "options.memory_mbytes: must be greater than or equal to 128"),
        ({"options": 5}, "options: must be an object"),
        ({"collect": {"records": "OUTPUT"}}, "collect.records: must be a list"),
        ({"labels": {"team": 5}}, "labels.team: must be a string"),
        ({"guard": {"required": [""]}}, "guard.required.0: must not be empty"),
        ({"delta": {"key": []}}, "delta.key: must not be empty"),
        ({"options": {"max_items": 0}}, "options.max_items: "),
        ({"collect": {"fields": ["a,b"]}}, "collect.fields.0: "),
        ({"collect": {"fields": ["a"], "output_fields": ["b", "c"]}}, "collect: output_fields renames fields"),
        ({"collect": {"page_items": 250_000}}, "collect.page_items: "),
        ({"sink": {"url": "file:///x/{kee}/"}}, "sink.url: {kee} is not known; there are {key}, {date} and {run_id}"),
        ({"key": "no spaces"}, "key: has characters or a length that are not allowed"),
        ({"key": "-x"}, "key: "),
        ({"key": "x" * 201}, "key: "),
        ({"key": "x\n"}, "key: "),
        ({"actor": "a/b/c"}, "actor: "),
        ({"actor": "https://apify.com/a/b"}, "not allowed; use user/name, user~name or an ID, not an address"),
        ({"actor": "a\n"}, "actor: "),
        ({"priority": 10}, "priority: "),
        ({"priority": "5"}, "priority: "),
        ({"version": 2}, "version: "),
        ({"actor_task": "y"}, "exactly one of actor, actor_task, run_id, dataset_id; actor and actor_task are given"),
        ({"actor": None}, "exactly one of actor, actor_task, run_id, dataset_id; none is given"),
    ],
)
def test_a_refusal_names_field_reason_and_nearest_name(wrong, hint):
    assert hint in refusal({"actor": "apify/x", **wrong})


@pytest.mark.parametrize("key", ["x", "X" * 200, "prices-2026-11-23", "nightly@2026-11-23T00:00:00+00:00", "a.b_c:d"])
def test_keys_of_every_allowed_kind_are_taken(key):
    assert parse_document({"actor": "x", "key": key}).key == key


@pytest.mark.parametrize(
    "actor",
    ["apify/web-scraper", "apify~web-scraper", "~mine", "iKkPcIgVvwmztduf8", "a.b/c_d", "_john_/my-actor", ".x.~y"],
)
def test_actors_are_named_as_the_platform_names_them(actor):
    assert parse_document({"actor": actor}).target == ("actor", actor)


@settings(max_examples=60)
@given(
    mistake=documents,
    place=st.sampled_from([SECRET, {"password": SECRET}, [SECRET], {SECRET: 1}, [[{"a": [SECRET, float("nan")]}]]]),
)
def test_no_refusal_repeats_what_stands_in_the_input(mistake, place):
    outcome = parse_or_reason({**mistake, "input": place})
    assert isinstance(outcome, JobDocument) or SECRET not in outcome


def test_an_input_is_taken_up_to_the_platforms_limit_in_bytes():
    overhead = len('""')
    exact = "x" * (MAX_INPUT_BYTES - overhead)
    assert len(parse_document({"actor": "x", "input": exact}).input_body) == MAX_INPUT_BYTES
    assert "input: has 9,437,185 bytes; the platform accepts at most 9,437,184" in refusal(
        {"actor": "x", "input": exact + "x"}
    )
    in_bytes = "é" * (MAX_INPUT_BYTES // 2)
    assert "9,437,186 bytes" in refusal({"actor": "x", "input": in_bytes})


def test_no_input_is_sent_as_an_empty_object():
    assert parse_document({"actor": "x"}).input_body == b"{}"
    assert parse_document({"actor": "x", "input": []}).input_body == b"[]"
    assert parse_document({"actor": "x", "input": {"b": 1, "a": "é"}}).input_body == '{"b":1,"a":"é"}'.encode()


def test_options_become_the_platforms_parameters():
    options = {
        "memory_mbytes": 1024,
        "timeout_secs": 0,
        "build": "beta",
        "max_items": 10,
        "max_total_charge_usd": 5,
        "restart_on_error": True,
        "force_permission_level": "LIMITED_PERMISSIONS",
    }
    expected = {
        "memory": "1024",
        "timeout": "0",
        "build": "beta",
        "maxItems": "10",
        "maxTotalChargeUsd": "5.0",
        "restartOnError": "true",
        "forcePermissionLevel": "LIMITED_PERMISSIONS",
    }
    assert parse_document({"actor": "x", "options": options}).query() == expected
    assert parse_document({"actor": "x"}).query() == {}
    assert parse_document({"actor": "x", "options": {"max_total_charge_usd": 1e-5}}).query() == {
        "maxTotalChargeUsd": "0.00001"
    }
    del expected["forcePermissionLevel"]
    assert parse_document({"actor_task": "x", "options": options}).query() == expected


def test_collect_becomes_parameters_and_leaves_out_paging():
    collect = {"fields": ["b", "a"], "clean": True, "limit": 5, "offset": 2, "page_items": 7, "skip_empty": True}
    query = parse_document({"actor": "x", "collect": collect}).collect.query()
    assert query == {"format": "jsonl", "fields": "b,a", "clean": "true", "skipEmpty": "true"}


@pytest.mark.parametrize(
    ("collect", "keeps"),
    [
        ({}, True),
        ({"fields": ["a"], "omit": ["b"], "flatten": ["c"], "desc": True, "skip_hidden": True}, True),
        ({"clean": True}, False),
        ({"skip_empty": True}, False),
        ({"unwind": ["a"]}, False),
        ({"view": "overview"}, False),
    ],
)
def test_only_filters_that_drop_or_multiply_rows_break_the_count(collect, keeps):
    assert parse_document({"actor": "x", "collect": collect}).collect.keeps_count is keeps


@pytest.mark.parametrize(
    ("target", "starts", "may_abort"),
    [
        ({"actor": "x"}, True, True),
        ({"actor_task": "x"}, True, True),
        ({"run_id": "x"}, False, False),
        ({"run_id": "x", "own": True}, False, True),
        ({"dataset_id": "x"}, False, False),
    ],
)
def test_a_run_taken_over_is_aborted_only_if_the_document_allows(target, starts, may_abort):
    document = parse_document(target)
    assert (document.starts_run, document.may_abort) == (starts, may_abort)


def test_fresh_keys_are_uuid7_in_order_of_time():
    keys = [fresh_key() for _ in range(50)]
    assert len(set(keys)) == 50
    assert all(re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", key) for key in keys)
    moments = [key[:13] for key in keys]
    assert moments == sorted(moments)
    assert parse_document({"actor": "x", "key": keys[0]}).key == keys[0]


def test_hash_of_an_account_in_capitals_is_that_of_an_earlier_version():
    document = parse_document({"actor": "x", "account": "Team"})
    earlier = JobDocument.model_validate({"actor": "x"}).model_copy(update={"account": "Team"})
    assert document.hash_as_spelled("Team") == earlier.body_hash != document.body_hash
    assert document.hash_as_spelled("team") == document.body_hash
