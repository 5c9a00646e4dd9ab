"""From options to a job document: what was given wins, what wasn't leaves the document alone."""

from pathlib import Path

import pytest

from actorline.cli.ordering.order import merge, parse_labels, read_document, read_input, sink_url
from actorline.cli.ordering.submit import document_lines
from actorline.cli.usage.ordering.run import run
from actorline.errors import Code, Refused
from actorline.jobs.document.parse import parse_document


@pytest.mark.parametrize(
    ("document", "changes", "merged"),
    [
        ({}, {"actor": "a/b", "key": None}, {"actor": "a/b"}),
        ({"actor": "a/b"}, {"actor": None, "priority": 0}, {"actor": "a/b", "priority": 0}),
        (
            {"options": {"build": "beta"}},
            {"options": {"build": None, "memory_mbytes": 512}},
            {"options": {"build": "beta", "memory_mbytes": 512}},
        ),
        ({"options": {"build": "beta"}}, {"options": {"build": "latest"}}, {"options": {"build": "latest"}}),
        ({}, {"options": {"build": None}, "labels": {}}, {}),
        ({"labels": {"a": "1"}}, {"labels": {"b": "2"}}, {"labels": {"a": "1", "b": "2"}}),
        ({"options": "wrong"}, {"options": {"build": "beta"}}, {"options": {"build": "beta"}}),
        ({"options": "wrong"}, {"options": {"build": None}}, {"options": "wrong"}),
        ({"input": {"a": 1, "b": 2}}, {"input": [1]}, {"input": [1]}),
    ],
)
def test_options_that_were_given_win(document, changes, merged):
    before = repr(document)
    assert merge(document, changes) == merged
    assert repr(document) == before


@pytest.mark.parametrize(
    ("text", "value"), [(None, None), ('{"a": [1]}', {"a": [1]}), ("null", None), (' "text" ', "text"), ("0", 0)]
)
def test_input_on_the_command_line_is_json(text, value):
    assert read_input(text) == value


def test_input_and_document_from_a_file(tmp_path):
    file = tmp_path / "input.json"
    file.write_text('{"caf\u00e9": true}')
    assert read_input(f"@{file}") == {"caf\u00e9": True}
    assert read_document(str(file)) == {"caf\u00e9": True}


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'{"secret": "canary",', "is not JSON at 1:21"), (b'"\xff\xfe\xfa canary"', "is not JSON"), (b"", "not JSON")],
)
def test_broken_input_is_refused_with_its_place_only(tmp_path, content, words):
    file = tmp_path / "input.json"
    file.write_bytes(content)
    with pytest.raises(Refused) as raised:
        read_input(f"@{file}")
    reason = raised.value.reason
    assert (reason.code, reason.billed) == (Code.INPUT_INVALID, False)
    assert words in reason.message
    assert "canary" not in reason.message


@pytest.mark.parametrize("content", ["[]", "null", '"text"', "{", '{"secret": canary}'])
def test_document_that_is_no_object_is_refused_unseen(tmp_path, content):
    file = tmp_path / "document.json"
    file.write_text(content)
    with pytest.raises(Refused) as raised:
        read_document(str(file))
    assert raised.value.reason.code == Code.DOCUMENT_INVALID
    assert "canary" not in raised.value.reason.message


def test_labels_are_name_and_value():
    given = ["shop=one", "note=a=b", "empty=", "team:search", "url:a=b", "time=08:30"]
    read = {"shop": "one", "note": "a=b", "empty": "", "team": "search", "url": "a=b", "time": "08:30"}
    assert parse_labels(given) == read
    for wrong in ("shop", "=one", ":one", ""):
        with pytest.raises(Refused, match="NAME=VALUE"):
            parse_labels([wrong])


@pytest.mark.parametrize(
    ("out", "url"),
    [
        (None, "file://{cwd}/rows/{{key}}/"),
        ("rows here/{key}", "file://{cwd}/rows%20here/{{key}}/"),
        ("/srv/rows", "file:///srv/rows/"),
        ("file:///srv/{date}/", "file:///srv/{{date}}/"),
        ("s3://bucket/{key}/", "s3://bucket/{{key}}/"),
    ],
)
def test_sink_is_absolute_with_its_placeholders(monkeypatch, tmp_path, out, url):
    monkeypatch.chdir(tmp_path)
    assert sink_url(out) == url.format(cwd=Path.cwd())


def test_files_of_documents_are_utf8_with_or_without_a_mark(tmp_path):
    file = tmp_path / "orders.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"key": "a"}\n{"key": "\xc5\xbe"}\n')
    assert list(document_lines([str(file)])) == [(f"{file}:1", '{"key": "a"}'), (f"{file}:2", '{"key": "\u017e"}')]


def test_options_for_rows_become_a_guard_and_a_stop(monkeypatch):
    orders = []
    monkeypatch.setattr("actorline.cli.ordering.run.run", lambda order, **_: orders.append(order))
    run(actor="demo/rows", require=["url", "price"], unique=["url"], stop_after=50)
    run(actor="demo/rows")
    assert orders[0]["guard"] == {"required": ["url", "price"], "unique": ["url"]}
    assert orders[0]["stop_when"] == {"items": 50}
    assert parse_document(orders[0]).guard
    assert not {"guard", "stop_when", "delta"} & orders[1].keys()


def test_options_for_changes_become_a_delta(monkeypatch):
    orders = []
    monkeypatch.setattr("actorline.cli.ordering.run.run", lambda order, **_: orders.append(order))
    run(actor="demo/rows", changes_key=["url", "shop.id"], changes_since="nightly-1")
    run(actor="demo/rows", changes_key=["url"])
    assert [order["delta"] for order in orders] == [
        {"key": ["url", "shop.id"], "base": "nightly-1"},
        {"key": ["url"]},
    ]
    assert parse_document(orders[1]).delta.base == "last"


@pytest.mark.parametrize(
    ("content", "why"), [(None, "No such file or directory"), (b"\xff\xfe", "it is not UTF-8: invalid start byte")]
)
def test_a_file_of_orders_that_cant_be_read_is_told_in_words(tmp_path, content, why):
    file = tmp_path / "orders.jsonl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Refused) as refused:
        list(document_lines([str(file)]))
    assert str(refused.value) == f"{file} can't be read: {why}. Nothing was ordered."
