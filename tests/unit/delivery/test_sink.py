import errno
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from obstore.store import MemoryStore

from actorline.delivery.sink import (
    CLAIM,
    LocalSink,
    Sink,
    SinkError,
    SinkTaken,
    folder_url,
    is_below,
    local_path,
    open_sink,
)
from actorline.delivery.sink.objects import ObjectSink


@pytest.fixture
def sink(tmp_path: Path) -> LocalSink:
    return LocalSink((tmp_path / "rows").as_uri())


def names(sink: LocalSink) -> list[str]:
    return sorted(str(path.relative_to(sink.folder)) for path in sink.folder.rglob("*") if path.is_file())


def test_the_first_of_two_files_stays_and_the_second_is_told(sink):
    with sink.staging("part-00000", "one") as first, sink.staging("part-00000", "two") as second:
        first.write(b"first")
        second.write(b"second")
        assert sink.publish(first, "part-00000") is True
        assert sink.publish(second, "part-00000") is False
    assert (sink.folder / "part-00000").read_bytes() == b"first"
    assert names(sink) == ["part-00000"]


def test_nothing_is_seen_under_its_name_before_it_is_whole(sink):
    with sink.staging("part-00000", "one") as file:
        file.write(b"half")
        assert not sink.exists("part-00000")
        assert sink.publish(file, "part-00000")
        assert (sink.folder / "part-00000").read_bytes() == b"half"


def test_what_is_not_published_leaves_nothing(sink):
    class Killed(Exception):
        pass

    with pytest.raises(Killed), sink.staging("records/OUTPUT", "one") as file:  # noqa: PT012 - the block is what is left
        file.write(b"half")
        raise Killed
    assert names(sink) == []


def test_many_writers_at_once_publish_one_whole_file(sink):
    barrier, won = threading.Barrier(8), []

    def write(number: int) -> None:
        barrier.wait()
        if sink.write_once("manifest.json", str(number).encode() * 50_000):
            won.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = won
    assert (sink.folder / "manifest.json").read_bytes() == str(winner).encode() * 50_000
    assert names(sink) == ["manifest.json"]


def test_a_record_is_stored_in_its_folder(sink):
    assert sink.write_once("records/OUTPUT", b"{}")
    assert names(sink) == ["records/OUTPUT"]
    with sink.open("records/OUTPUT") as file:
        assert file.read() == b"{}"
    assert sink.file_url("records/OUTPUT") == f"{sink.folder.as_uri()}/records/OUTPUT"


def test_a_claim_holds_for_its_job_and_against_every_other(sink):
    sink.claim("al-1", "nightly")
    sink.claim("al-1", "nightly")
    for installation, key in (("al-1", "other"), ("al-2", "nightly")):
        with pytest.raises(SinkTaken, match="belongs to another job"):
            sink.claim(installation, key)
    assert json.loads((sink.folder / CLAIM).read_bytes()) == {"installation": "al-1", "key": "nightly"}
    assert names(sink) == [CLAIM]


@pytest.mark.parametrize(
    "found", [b"", b"not json", b"[]", b"null", b'{"key": "nightly"}', b'{"installation": "al-1"}']
)
def test_a_claim_that_is_not_exactly_ours_is_somebody_elses(sink, found):
    sink.folder.mkdir()
    (sink.folder / CLAIM).write_bytes(found)
    with pytest.raises(SinkTaken):
        sink.claim("al-1", "nightly")
    assert (sink.folder / CLAIM).read_bytes() == found


def test_of_two_jobs_at_once_one_claims_the_folder(sink):
    barrier, taken = threading.Barrier(2), []

    def claim(key: str) -> None:
        barrier.wait()
        try:
            sink.claim("al-1", key)
        except SinkTaken:
            taken.append(key)

    threads = [threading.Thread(target=claim, args=(key,)) for key in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    owner = json.loads((sink.folder / CLAIM).read_bytes())["key"]
    assert taken == [{"a": "b", "b": "a"}[owner]]


def test_a_check_leaves_nothing(sink, tmp_path):
    sink.check()
    assert list(tmp_path.iterdir()) == []


def test_checks_at_once_of_one_folder_do_not_meet(tmp_path):
    sinks = [LocalSink((tmp_path / "rows" / "nightly").as_uri()) for _ in range(4)]

    def check(sink: LocalSink) -> None:
        for _ in range(100):
            sink.check()

    with ThreadPoolExecutor(len(sinks)) as pool:
        list(pool.map(check, sinks))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", ["check", "claim", "write"])
def test_a_folder_that_cannot_be_made_is_a_sink_error(tmp_path, method):
    (tmp_path / "file").write_text("")
    sink = LocalSink((tmp_path / "file" / "rows").as_uri())
    use = {
        "check": sink.check,
        "claim": lambda: sink.claim("al-1", "k"),
        "write": lambda: sink.write_once("x", b""),
    }[method]
    with pytest.raises(SinkError):
        use()


def test_a_name_that_no_file_system_takes_is_a_sink_error(tmp_path):
    sink = LocalSink(f"{tmp_path.as_uri()}/{'x' * 300}/rows/")
    with pytest.raises(SinkError):
        sink.check()
    with pytest.raises(SinkError):
        sink.claim("al-1", "k")


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space on its disk"),
        (errno.EACCES, "permission to write there"),
        (errno.EROFS, "mounted read-only"),
        (errno.EIO, "Check its disk and its mount"),
        (errno.ENOTDIR, "Make its path a writable folder"),
    ],
)
def test_a_folder_that_cant_be_written_is_told_with_its_cure(tmp_path, number, advice):
    sink = LocalSink(tmp_path.as_uri())
    with pytest.raises(SinkError, match=advice), sink._refusals():
        raise OSError(number, os.strerror(number))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_a_sink_error(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(SinkError):
        LocalSink((tmp_path / "closed" / "rows").as_uri()).check()


def test_a_file_that_is_missing_is_a_sink_error(sink):
    with pytest.raises(SinkError):
        sink.open("part-00000")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///srv/rows/", "/srv/rows"),
        ("file:///srv/rows", "/srv/rows"),
        ("file://localhost/srv/rows/", "/srv/rows"),
        ("file:///srv/a/../rows/./", "/srv/rows"),
        ("file:///srv/two%20words/%C3%BC", "/srv/two words/ü"),
        ("file:////srv/rows/", "/srv/rows"),
        ("file:///srv/a:b@c+d", "/srv/a:b@c+d"),
        ("file:///srv/caf%E9/", os.fsdecode(b"/srv/caf\xe9")),
    ],
)
def test_a_file_url_is_an_absolute_folder(url, path):
    assert local_path(url) == Path(path)
    assert open_sink(url).url == Path(path).as_uri() + "/"


def test_the_url_of_a_folder_ends_in_one_slash():
    assert folder_url(Path("/")) == "file:///"
    assert folder_url(Path("/srv")) == "file:///srv/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "rows/",
        "/srv/rows/",
        "file:rows",
        "file://host/srv/rows/",
        "file:///srv/%00/",
        "file:///srv/rows?x=1",
        "file:///srv/rows#part",
        "file://[/srv/",
        "http://[",
        "ftp://host/rows/",
    ],
)
def test_any_other_url_is_refused(url):
    with pytest.raises(SinkError):
        open_sink(url)


@given(st.text() | st.text("/.%[]?#a", max_size=9))
@example("/")
@example("//x/")
def test_whatever_the_url_it_is_a_sink_or_a_sink_error(url):
    for candidate in (f"file:{url}", f"file:///{url}", f"file://{url}"):
        try:
            sink = open_sink(candidate)
        except SinkError:
            continue
        assert sink.folder.is_absolute()
        assert ".." not in sink.folder.parts
        assert open_sink(sink.url).folder == sink.folder


@pytest.mark.parametrize(
    ("url", "below"),
    [
        ("rows/", False),
        ("rows/a/b/", True),
        ("rows/a/../b/", True),
        ("rows/../other/", False),
        ("rows/%2e%2e/other/", False),
        ("other/", False),
        ("rows-2/", False),
        ("link/", False),
        ("rows/out/x/", False),
        ("rows/loop/x/", False),
    ],
)
def test_a_sink_lies_in_a_root_with_dots_and_links_resolved(tmp_path, url, below):
    (tmp_path / "rows").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    (tmp_path / "rows" / "out").symlink_to(tmp_path / "other")
    (tmp_path / "rows" / "loop").symlink_to(tmp_path / "rows" / "loop")
    root = (tmp_path / "rows").as_uri()
    assert is_below(f"{tmp_path.as_uri()}/{url}", root) is below


def test_a_root_is_told_from_others_byte_by_byte():
    assert is_below("file:///srv/caf%E9-one/", "file:///srv/caf%E9-{key}/")
    assert not is_below("file:///srv/caf%E8-one/", "file:///srv/caf%E9-{key}/")


def test_nothing_lies_below_what_is_no_root():
    assert not is_below("file:///srv/rows/", "s3://bucket/")
    assert not is_below("s3://bucket/rows/", "file:///srv/")


def test_sweep_removes_what_was_left_staged_and_nothing_else(sink):
    sink.claim("al-1", "nightly")
    for folder in ("records", ".staging"):
        (sink.folder / folder).mkdir(exist_ok=True)
    kept = [sink.folder / "part-00000.jsonl.gz", sink.folder / "records" / "OUTPUT"]
    left = [sink.folder / ".staging" / name for name in (".0123.0123abcd.tmp", ".4567.0123abcd.tmp")]
    for path in (*kept, *left):
        path.write_text("rows")
    sink.sweep("al-1", "another")
    assert all(path.exists() for path in left)
    sink.sweep("al-1", "nightly")
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_files_are_listed_moved_and_removed(sink):
    for name in ("manifest.json", "records/OUTPUT"):
        sink.write_once(name, b"123")
    (sink.folder / ".staging" / ".0123.0123abcd.tmp").write_text("staged")
    sink.move("records/OUTPUT", "superseded-1/records/OUTPUT")
    sink.move("records/OUTPUT", "superseded-1/records/OUTPUT")
    assert sorted(sink.names()) == ["manifest.json", "superseded-1/records/OUTPUT"]
    assert sink.files_in("superseded-1/records/") == {"superseded-1/records/OUTPUT": 3}
    sink.remove("superseded-1/records/OUTPUT")
    sink.remove("superseded-1/records/OUTPUT")
    assert list(sink.names()) == ["manifest.json"]
    assert not (sink.folder / "superseded-1" / "records").exists()


@pytest.fixture(params=["local", "object"])
def at(request, tmp_path) -> Callable[[str], Sink]:
    """Sinks by their place in one root."""
    store = MemoryStore()
    if request.param == "object":
        return lambda path: ObjectSink(f"s3://bucket/rows/{path}", store)
    return lambda path: LocalSink(f"{tmp_path.as_uri()}/rows/{path}")


@pytest.mark.parametrize("other", ["", "a/", "a/b/records/", "a/b/x/y/"])
def test_no_sink_lies_in_another_ones_folder_or_around_it(at, other):
    at("a/b/").claim("al-1", "first")
    for refused in (lambda: at(other).claim("al-1", "second"), at(other).check):
        with pytest.raises(SinkTaken, match="overlaps with the folder of another job"):
            refused()
    assert CLAIM not in at(other).files_in("")
    at("b/").claim("al-1", "second")
    at("a/b-2/").claim("al-1", "third")


def test_the_owner_of_a_folder_may_claim_it_again(at):
    assert at("a/").claim("al-1", "first")
    at("a/").write_once("records/OUTPUT", b"{}")
    assert not at("a/").claim("al-1", "first")


def test_a_folder_in_which_nothing_was_stored_is_given_back(at):
    sink = at("a/")
    sink.claim("al-1", "first")
    sink.sweep("al-1", "second")
    with pytest.raises(SinkTaken):
        at("a/").claim("al-1", "second")
    sink.sweep("al-1", "first")
    sink.sweep("al-1", "first")
    assert at("a/").claim("al-1", "second")
    sink.write_once("superseded-1/part-00000.jsonl.gz", b"rows")
    sink.sweep("al-1", "second")
    assert CLAIM in sink.files_in("")


def test_of_two_overlapping_claims_at_once_not_both_win(at, monkeypatch):
    outer, inner = at("a/"), at("a/records/")
    write_once, claimed = Sink.write_once, []

    def write(sink: Sink, name: str, content: bytes) -> bool:
        if name == CLAIM and not claimed:  # the other one claims between our look and our claim
            claimed.append(name)
            inner.claim("al-1", "inner")
        return write_once(sink, name, content)

    monkeypatch.setattr(Sink, "write_once", write)
    with pytest.raises(SinkTaken, match="overlaps with"):
        outer.claim("al-1", "outer")
    assert (CLAIM in outer.files_in(""), CLAIM in inner.files_in("")) == (False, True)


def test_a_folder_full_of_files_is_refused_not_searched(at, monkeypatch):
    for kind in ("local", "objects"):
        monkeypatch.setattr(f"actorline.delivery.sink.{kind}.LOOK_MOST", 3)
    for number in range(6):
        at("a/").write_once(f"file-{number}", b"")
    with pytest.raises(SinkError, match="holds more than"):
        at("a/").claim("al-1", "first")


def test_clean_up_of_one_job_leaves_what_another_one_has_staged(at):
    """Folders that overlap are refused; those of an earlier version may do so still."""
    with at("a/").staging("part-00000.jsonl.gz", "01") as file:
        file.write(b"rows")
        at("").clear_staging()
        assert at("a/").publish(file, "part-00000.jsonl.gz")
    assert at("a/").size("part-00000.jsonl.gz") == 4


def test_names_of_a_local_folder_leave_out_other_jobs_claims(tmp_path):
    sink = LocalSink(tmp_path.as_uri())
    sink.write_once("records/OUTPUT", b"{}")
    LocalSink(f"{tmp_path.as_uri()}/attempt-2/").write_once(CLAIM, b"{}")
    assert list(sink.names()) == ["records/OUTPUT"]


def test_erasing_a_jobs_folder_leaves_none_of_it_but_all_others(at, monkeypatch):
    monkeypatch.setattr("actorline.delivery.sink.protocol.ERASED_AT_ONCE", 2)
    mine, other = at("mine/"), at("other/")
    for sink, key in ((mine, "mine"), (other, "other")):
        sink.claim("al-0001", key)
        for name in ("part-00000.jsonl", "records/A", "superseded-1/records/B", "manifest.json", "_SUCCESS"):
            assert sink.write_once(name, b"a person's")

    assert (mine.erase("al-0001", "other"), mine.erase("al-0002", "mine")) == (0, 0)  # not theirs
    assert mine.erase("al-0001", "mine") == 5
    assert mine.erase("al-0001", "mine") == 0  # safe to repeat

    assert list(mine.names()) == []
    assert len(set(other.names())) == 6
    if isinstance(mine, LocalSink):
        assert not mine.folder.exists()  # it is named like the job


def test_erasing_again_after_a_failure_removes_the_rest(at, monkeypatch):
    sink = at("rows/")
    sink.claim("al-0001", "mine")
    for name in ("part-00000.jsonl", "part-00001.jsonl", "_SUCCESS"):
        sink.write_once(name, b"rows")
    remove = type(sink).remove

    def fail_at_rows(self: Sink, name: str) -> None:
        if name == "part-00001.jsonl":
            raise SinkError("the store is away")
        remove(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(type(sink), "remove", fail_at_rows)
        with pytest.raises(SinkError):
            sink.erase("al-0001", "mine")
    assert sink.belongs_to("al-0001", "mine")
    sink.erase("al-0001", "mine")
    assert list(sink.names()) == []
