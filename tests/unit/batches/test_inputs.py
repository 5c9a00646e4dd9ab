"""Inputs as they are read from a source, and kept in the sink."""

import json
import tracemalloc

import pytest

from actorline.batches.input_file import InputFile
from actorline.batches.inputs import check_source, source_lines
from actorline.errors import Refused
from actorline.settings import load_settings


@pytest.fixture
def settings(tmp_path):
    return load_settings(home=tmp_path)


def test_source_with_a_blank_in_its_name_is_read(settings, tmp_path):
    file = tmp_path / "my inputs" / "of today.jsonl"
    file.parent.mkdir()
    file.write_text('{"a": 1}\r\n\n{"a": "b c"}')
    assert list(source_lines(file.as_uri(), settings)) == [b'{"a":1}', b'{"a":"b c"}']


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
    assert stored.store("al-test", "k", lines, "execution") == 500
    assert (stored.count(), list(stored.lines())) == (500, lines)
    for first, count in ((0, 3), (1, 1), (250, 100), (499, 1)):
        assert stored.read(first, count) == lines[first : first + count]


def test_storing_after_a_crash_replaces_what_was_half_stored(tmp_path):
    stored = InputFile(tmp_path.as_uri() + "/")
    stored.sink.write_once("inputs.jsonl", b"half")
    assert stored.store("al-test", "k", [b"{}"], "execution") == 1
    assert stored.read(0, 1) == [b"{}"]


def test_memory_stays_flat_however_long_the_source_is(settings, tmp_path):
    file = tmp_path / "long.jsonl"
    with file.open("w") as out:
        out.writelines(f'{{"number": {number}, "text": "{"x" * 2000}"}}\n' for number in range(10_000))
    stored = InputFile((tmp_path / "sink").as_uri() + "/")
    tracemalloc.start()
    assert stored.store("al-test", "k", source_lines(file.as_uri(), settings), "execution") == 10_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000
