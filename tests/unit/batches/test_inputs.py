"""Inputs as they are read from a source, and kept in the sink."""

import json
import os
import tracemalloc
from functools import partial

import pytest

from actorline.batches.inputs import check_lines
from actorline.batches.inputs.input_file import InputFile
from actorline.batches.inputs.source import UnreadableSource, check_source, copy_source
from actorline.delivery.sink.local import LocalSink
from actorline.errors import Refused
from actorline.settings import load_settings


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=tmp_path)


def copied(url, settings, keep_alive=lambda: None) -> bytes:
    taken = []
    copy_source(url, settings, take=taken.append, keep_alive=keep_alive)
    return b"".join(taken)


def each_in(lines):
    """What hands these inputs over, cut into blocks wherever that may be."""
    text = b"".join(line + b"\n" for line in lines)
    return lambda take: [take(text[at : at + 1000]) for at in range(0, len(text), 1000)]


def test_source_with_a_blank_in_its_name_is_read(settings, tmp_path):
    file = tmp_path / "my inputs" / "of today.jsonl"
    file.parent.mkdir()
    file.write_text('{"a": 1}\r\n\n{"a": "b c"}')
    assert copied(file.as_uri(), settings) == b'{"a":1}\n{"a":"b c"}\n'


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "s3://elsewhere/x.jsonl", "http://10.0.0.1/x", "ftp://x/y", "http://user:pw@x.com/y"]
)
def test_service_may_not_name_any_source(settings, url):
    with pytest.raises(Refused, match=r"Nothing was started\."):
        check_source(url, "default", settings, trusted=False)


def test_each_input_is_found_by_its_number(tmp_path):
    stored = InputFile(tmp_path.as_uri() + "/")
    lines = [json.dumps({"number": number, "text": "\u2028ü" * (number % 7)}).encode() for number in range(500)]
    assert stored.count() is None
    assert stored.store("al-test", "k", each_in(lines), "execution") == 500
    assert (stored.count(), list(stored.lines())) == (500, lines)
    for first, count in ((0, 3), (1, 1), (250, 100), (499, 1)):
        assert stored.read(first, count) == lines[first : first + count]


def test_storing_after_a_crash_replaces_what_was_half_stored(tmp_path):
    stored = InputFile(tmp_path.as_uri() + "/")
    stored.sink.write_once("inputs.jsonl", b"half")
    assert stored.store("al-test", "k", each_in([b"{}"]), "execution") == 1
    assert stored.read(0, 1) == [b"{}"]


def test_memory_stays_flat_however_long_the_source_is(settings, tmp_path):
    file = tmp_path / "long.jsonl"
    with file.open("w") as out:
        out.writelines(f'{{"number": {number}, "text": "{"x" * 2000}"}}\n' for number in range(10_000))
    stored, url = InputFile((tmp_path / "sink").as_uri() + "/"), file.as_uri()
    tracemalloc.start()
    fill = partial(copy_source, url, settings, keep_alive=lambda: None)
    assert stored.store("al-test", "k", lambda take: fill(take=take), "execution") == 10_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


def test_source_that_is_larger_than_any_disk_is_refused(settings, tmp_path, monkeypatch):
    """A compressed one of a few megabytes may be."""
    monkeypatch.setattr(check_lines, "MOST_BYTES", 20)
    lines = check_lines.checked_lines
    assert list(lines([b'{"a": 1}\n', b'{"a": 2}\n'])) == [b'{"a":1}', b'{"a":2}']
    with pytest.raises(Refused, match="more than 20 bytes"):
        list(lines([b'{"a": 1}\n', b'{"a": 2}\n', b'{"a": 3}\n']))


def test_missing_file_is_told_in_one_sentence(settings, tmp_path):
    with pytest.raises(UnreadableSource, match=r"^There is no file at inputs_url$"):
        copied((tmp_path / "missing.jsonl").as_uri(), settings)


@pytest.mark.parametrize("size", [0, 100_000, 900_000])
def test_file_that_changes_while_it_is_read_is_refused(settings, tmp_path, monkeypatch, size):
    """Cut at the end of a line, it would look whole."""
    file = tmp_path / "changing.jsonl"
    file.write_text('{"n":1}\n' * 100_000)
    opened = LocalSink.open

    def open_and_change(self, name):
        reader = opened(self, name)
        os.truncate(file, size)
        return reader

    monkeypatch.setattr(LocalSink, "open", open_and_change)
    with pytest.raises(UnreadableSource, match="changed while it was read"):
        copied(file.as_uri(), settings)
