"""Names out of a manifest, a key-value store or the platform never lead out of a delivery's folder."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import obstore
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from obstore.store import MemoryStore
from pydantic import ValidationError

from actorline.delivery.manifest import Part, StoredRecord
from actorline.delivery.sink import CLAIM, MANIFEST, SUCCESS, LocalSink, Sink, SinkError
from actorline.delivery.sink.names import NAME_CHARS, record_file
from actorline.delivery.sink.objects import ObjectSink

PLATFORM_KEYS = st.text("abzABZ019!-_.'()", min_size=1, max_size=256)
"""What the platform allows in a record's key."""
HOSTILE = st.text() | st.lists(st.sampled_from(["..", ".", "", "a", "records", "\\", "%2e%2e", "~", "C:"])).map(
    "/".join
)
ESCAPES = ("/etc/passwd", "../secret", "records/../../secret", "..", ".", "", "a//b", "a\\..\\b", "a/./b", "a/", "a\0b")


@contextmanager
def surrounded() -> Iterator[tuple[Path, LocalSink]]:
    """A sink with a neighbour, whose files nobody may reach by it."""
    with tempfile.TemporaryDirectory() as name:
        outside = Path(name)
        (outside / "secret").write_text("secret")
        (outside / "sink").mkdir()
        yield outside, LocalSink((outside / "sink").as_uri())


def use(sink: Sink, name: str) -> list[bytes]:
    """Do with a name all that a sink can do; returns what was read."""
    read = []

    def reads() -> None:
        with sink.open(name) as file:
            read.append(file.read())

    for step in (
        reads,
        lambda: sink.size(name),
        lambda: sink.files_in(f"{name}/"),
        lambda: sink.move(name, "taken"),
        lambda: sink.write_once(name, b"written"),
        lambda: sink.move(name, "taken"),
        lambda: sink.move("taken", name),
        lambda: sink.remove(name),
    ):
        try:
            step()
        except SinkError:
            continue
    return read


@given(HOSTILE)
@example("../secret")
@example("/etc/passwd")
def test_no_name_leads_out_of_a_local_folder(name):
    with surrounded() as (outside, sink):
        assert use(sink, name) == []
        assert (outside / "secret").read_text() == "secret"
        assert sorted(path.name for path in outside.iterdir()) == ["secret", "sink"]


@given(HOSTILE)
@example("../secret")
def test_no_name_leads_out_of_a_prefix_of_a_store(name):
    store = MemoryStore()
    obstore.put(store, "rows/secret", b"secret")
    assert use(ObjectSink("s3://bucket/rows/nightly/", store), name) == []
    assert bytes(obstore.get(store, "rows/secret").bytes()) == b"secret"
    paths = [found["path"] for block in obstore.list(store) for found in block]
    assert all(path.startswith("rows/nightly/") for path in paths if path != "rows/secret")


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_leads_elsewhere_is_refused_in_words(name, tmp_path):
    for sink in (LocalSink(tmp_path.as_uri()), ObjectSink("s3://bucket/rows/", MemoryStore())):
        with pytest.raises(SinkError, match="is not the name of a file in the sink"):
            sink.open(name)


@pytest.mark.parametrize("planted", ["link to a file", "link to a folder", "pipe"])
def test_planted_entries_are_neither_followed_nor_waited_for(planted):
    with surrounded() as (outside, sink):
        name = "records/OUTPUT"
        if planted == "link to a folder":
            (sink.folder / "records").symlink_to(outside)
            name = "records/secret"
        else:
            (sink.folder / "records").mkdir()
            if planted == "pipe":
                os.mkfifo(sink.folder / name)
            else:
                (sink.folder / name).symlink_to(outside / "secret")
        with pytest.raises(SinkError):
            sink.open(name)
        assert use(sink, name) == []
        assert (outside / "secret").read_text() == "secret"
        assert "secret" not in {Path(found).name for found in sink.names()}


@given(PLATFORM_KEYS | st.text())
@example("..")
@example("../../etc/passwd")
@example("manifest.json")
@example("Manifest.json")
@example("_actorline.json")
@example("_SUCCESS")
@example("r" * 256)
@example("(" * 256)
@example("")
def test_each_record_has_a_file_that_means_nothing_else(key):
    name = record_file(key)
    StoredRecord(key="k", name=f"attempt-2/records/{name}", content_type="", bytes=0, sha256="")
    assert len(name) <= NAME_CHARS
    assert name.casefold() not in {MANIFEST, CLAIM, SUCCESS.casefold()}


@given(st.lists(PLATFORM_KEYS | st.text(), unique=True))
@example(["r" * 255, "r" * 256])
@example(["%41", "A", ".", "%2E"])
def test_no_two_records_have_the_same_file(keys):
    assert len({record_file(key) for key in keys}) == len(keys)


def test_ordinary_records_keep_their_names():
    for key in ("OUTPUT", "page.html", "my-key_1", "x'()!", "r" * 142):
        assert record_file(key) == key


ROWS_NAMES = ("part-00000.jsonl.gz", "items.csv", "attempt-12/part-100000.parquet", "superseded-1/attempt-2/items.xlsx",
              "_pages/page-00000.jsonl.gz")  # fmt: skip


@pytest.mark.parametrize("name", ROWS_NAMES)
def test_the_names_of_rows_are_a_closed_grammar(name):
    assert Part(name=name, offset=0, limit=1, scanned=1, items=1, bytes=1, sha256="").name == name
    for other in (f"/{name}", f"../{name}", f"x/{name}", f"{name}/..", f"{name}\n", f"./{name}", name.upper()):
        with pytest.raises(ValidationError):
            Part(name=other, offset=0, limit=1, scanned=1, items=1, bytes=1, sha256="")


@pytest.mark.parametrize("name", [*ESCAPES, "records/..", "records/.hid", "records/a/b", "OUTPUT", "records/\u00fc"])
def test_no_other_name_is_a_records(name):
    with pytest.raises(ValidationError):
        StoredRecord(key="k", name=name, content_type="", bytes=0, sha256="")
