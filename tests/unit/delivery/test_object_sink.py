"""An object store as a sink, here one in memory; tests/integration/test_sinks.py has a real server."""

import gzip
import hashlib
import os

import obstore
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError
from obstore.store import MemoryStore

from actorline.delivery.sink import MissingFile, SinkError, SinkTaken, is_below, objects, open_sink
from actorline.delivery.sink.objects import ObjectSink
from actorline.delivery.sink.refusal import explain

URL = "s3://bucket/rows/nightly/"
LARGE = b"0123456789" * 1_000_000


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def sink(store: MemoryStore) -> ObjectSink:
    return ObjectSink(URL, store)


def paths(store: MemoryStore) -> list[str]:
    return sorted(found["path"] for block in obstore.list(store) for found in block)


def write(sink: ObjectSink, name: str, content: bytes, execution: str = "0123") -> bool:
    with sink.staging(name, execution) as file:
        for start in range(0, len(content), 300_000):
            file.write(content[start : start + 300_000])
        return sink.publish(file, name)


def fail_writing(sink: ObjectSink) -> None:
    with sink.staging("large", "0123") as file:
        file.write(LARGE)
        raise KeyError


def test_a_claim_is_the_jobs_and_no_other_ones(sink):
    assert sink.claim("al-1", "nightly")
    assert not sink.claim("al-1", "nightly")
    with pytest.raises(SinkTaken, match="belongs to another job"):
        sink.claim("al-1", "weekly")
    with pytest.raises(SinkTaken):
        sink.claim("al-2", "nightly")


@pytest.mark.parametrize("content", [b"", b"rows", LARGE], ids=["empty", "small", "large"])
def test_the_first_file_of_a_name_stays(sink, store, content):
    assert write(sink, "part-00000", content)
    assert not write(sink, "part-00000", b"others" + content, "4567")
    assert sink.size("part-00000") == len(content)
    with sink.open("part-00000") as file:
        assert file.read() == content
    assert paths(store) == ["rows/nightly/part-00000"]


def test_a_file_that_is_not_published_leaves_nothing(sink, store):
    with sink.staging("small", "0123") as file:
        file.write(b"rows")
    with sink.staging("large", "0123") as file:
        file.write(LARGE)
    with pytest.raises(KeyError):
        fail_writing(sink)
    assert paths(store) == []


def test_what_is_written_may_be_changed_afterwards(sink):
    block = bytearray(1_000_000)
    with sink.staging("part", "0123") as file:
        for number in range(20):
            block[:] = bytes([number]) * len(block)
            file.write(block)
        sink.publish(file, "part")
    with sink.open("part") as file:
        assert file.read() == b"".join(bytes([number]) * len(block) for number in range(20))


def test_what_cannot_be_copied_in_one_request_is_published_once(sink, store, monkeypatch):
    monkeypatch.setattr(objects, "COPY_MAX_BYTES", 1_000_000)
    assert write(sink, "items", LARGE)
    assert not write(sink, "items", b"x" + LARGE)
    sink.move("items", "superseded-1/items")
    with sink.open("superseded-1/items") as file:
        assert hashlib.file_digest(file, "sha256").digest() == hashlib.sha256(LARGE).digest()
    assert paths(store) == ["rows/nightly/superseded-1/items"]


def test_a_file_is_read_from_anywhere_in_it(sink):
    content = os.urandom(9_000_000)
    write(sink, "part", content)
    with sink.open("part") as file:
        assert file.seek(0, os.SEEK_END) == len(content)
        assert file.read() == b""
        file.seek(5_000_000)
        assert file.read(10) == content[5_000_000:5_000_010]
        file.seek(-7, os.SEEK_END)
        assert file.read() == content[-7:]


def test_all_of_a_file_is_one_request(sink, monkeypatch):
    write(sink, "manifest.json", b"x" * 100_000)
    get_range, asked = obstore.get_range, []
    monkeypatch.setattr(
        obstore, "get_range", lambda *args, **range_: asked.append(range_) or get_range(*args, **range_)
    )
    with sink.open("manifest.json") as file:
        assert file.read() == b"x" * 100_000
    assert asked == [{"start": 0, "length": 100_000}]


def test_gzip_reads_from_it(sink):
    write(sink, "part.gz", gzip.compress(LARGE))
    with sink.open("part.gz") as file, gzip.open(file) as plain:
        assert plain.read() == LARGE


def test_files_are_listed_with_sizes_staged_ones_are_not(sink, store):
    write(sink, "manifest.json", b"{}")
    write(sink, "records/OUTPUT", b"123")
    obstore.put(store, "rows/nightly/.staging/0123/part-00000", b"rows")
    obstore.put(store, "rows/nightly-2/part-00000", b"rows")
    assert list(sink.names()) == ["manifest.json", "records/OUTPUT"]
    assert (sink.files_in(""), sink.files_in("records/")) == ({"manifest.json": 2}, {"records/OUTPUT": 3})
    assert not sink.exists("part-00000")


def test_a_moved_file_has_only_its_new_name(sink):
    write(sink, "records/OUTPUT", b"123")
    sink.move("records/OUTPUT", "superseded-1/records/OUTPUT")
    sink.move("records/OUTPUT", "superseded-1/records/OUTPUT")
    assert list(sink.names()) == ["superseded-1/records/OUTPUT"]


def test_a_removed_file_is_gone_and_a_missing_one_is_no_fault(sink):
    write(sink, "_pages/page-00000", b"123")
    sink.remove("_pages/page-00000")
    sink.remove("_pages/page-00000")
    assert list(sink.names()) == []


def test_sweep_removes_what_was_left_staged_and_nothing_else(sink, store):
    sink.claim("al-1", "nightly")
    write(sink, "part-00000", b"rows")
    obstore.put(store, "rows/nightly/.staging/0123/records/OUTPUT", b"rows")
    sink.sweep("al-1", "another")
    assert "rows/nightly/.staging/0123/records/OUTPUT" in paths(store)
    sink.sweep("al-1", "nightly")
    assert paths(store) == ["rows/nightly/_actorline.json", "rows/nightly/part-00000"]


def test_a_check_leaves_nothing(sink, store):
    sink.check()
    assert paths(store) == []


def test_a_store_that_replaces_what_lies_there_is_refused(sink, monkeypatch):
    put = obstore.put
    monkeypatch.setattr(obstore, "put", lambda store, path, file, **_: put(store, path, file))
    with pytest.raises(SinkError, match="If-None-Match"):
        sink.check()
    with pytest.raises(SinkError, match="If-None-Match"):
        sink.claim("al-1", "nightly")


def test_a_missing_file_is_told(sink):
    with pytest.raises(MissingFile, match="no s3://bucket/rows/nightly/part-00000"):
        sink.open("part-00000")


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("s3://bucket", "s3://bucket/"),
        ("s3://bucket//a//b", "s3://bucket/a/b/"),
        ("S3://My.bucket-1/dt=2026-11-24/key@2026+1:2/", "s3://My.bucket-1/dt=2026-11-24/key@2026+1:2/"),
        ("gs://bucket/a b/ü/", "gs://bucket/a b/ü/"),
        ("az://container/a", "az://container/a/"),
        ("abfss://container@account.dfs.core.windows.net/a/", "abfss://container@account.dfs.core.windows.net/a/"),
        ("s3://bucket/a/{run_id}/", "s3://bucket/a/{run_id}/"),
    ],
)
def test_a_url_names_a_folder_and_asks_nothing_yet(url, normal):
    assert open_sink(url).url == normal
    assert open_sink(normal).url == normal


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///rows/",
        "s3:bucket/rows/",
        "s3://bucket/../rows/",
        "s3://bucket/a/./",
        "s3://bucket/%2e%2e/rows/",
        "s3://bucket/a\\b/",
        "s3://bucket/a?versionId=1",
        "s3://bucket/a#b",
        "s3://KEYID:hidden@bucket/rows/",
        "abfss://container:hidden@account.dfs.core.windows.net/a/",
        "gs://bucket:80/a/",
        "s3://bucket/\x7f/",
    ],
)
def test_any_other_url_is_refused_without_being_repeated(url):
    with pytest.raises(SinkError) as refusal:
        open_sink(url)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "root", "below"),
    [
        ("s3://bucket/rows/a/", "s3://bucket/rows/", True),
        ("s3://bucket/rows/", "s3://bucket/rows", False),
        ("s3://bucket/pre-a/", "s3://bucket/pre-{key}/", True),
        ("s3://bucket/pre-/", "s3://bucket/pre-{key}/", False),
        ("s3://bucket/other/", "s3://bucket/pre-{key}/", False),
        ("s3://bucket/rows-2/", "s3://bucket/rows", False),
        ("s3://bucket/rows/../x/", "s3://bucket/rows/", False),
        ("s3://bucket/x/", "s3://bucket/", True),
        ("s3://bucket-2/x/", "s3://bucket", False),
        ("gs://bucket/rows/a/", "s3://bucket/rows/", False),
        ("s3://bucket/rows/a/", "file:///bucket/rows/", False),
        ("file:///bucket/rows/a/", "s3://bucket/rows/", False),
    ],
)
def test_a_sink_lies_in_a_root_by_whole_names(url, root, below):
    assert is_below(url, root) is below


SIGNED = "<Error><Code>{}</Code><AWSAccessKeyId>AKIAHIDDEN</AWSAccessKeyId><StringToSign>x</StringToSign></Error>"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            PermissionDeniedError("status code: 403 Forbidden: " + SIGNED.format("SignatureDoesNotMatch")),
            "refuses these credentials (403 SignatureDoesNotMatch). Check AWS_ACCESS_KEY_ID",
        ),
        (
            FileNotFoundError("status code: 404 Not Found: " + SIGNED.format("NoSuchBucket")),
            "there is no s3://bucket (404 NoSuchBucket). Create it",
        ),
        (
            GenericError("Error performing PUT http://169.254.169.254/latest/api/token"),
            "no credentials are set. Set AWS_",
        ),
        (
            GenericError(
                "Received redirect without LOCATION, this normally indicates an incorrectly configured region"
            ),
            "Set AWS_REGION",
        ),
        (GenericError("status code: 503 Service Unavailable: " + SIGNED.format("SlowDown")), "refuses (503 SlowDown)"),
        (
            GenericError("HTTP error: error sending request for url (https://b/?X-Amz-Signature=AKIAHIDDEN)"),
            "can't be reached. Is the network up, and AWS_ENDPOINT_URL right?",
        ),
    ],
)
def test_a_refusal_says_what_to_do_and_no_secret(error, said):
    text = explain(error, "s3://bucket")
    assert said in text
    assert "HIDDEN" not in text


def test_empty_variables_of_a_cloud_count_as_unset(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "")
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", "")
    objects._connect("s3://empty-variables")
    assert not {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"} & os.environ.keys()
    assert os.environ["GOOGLE_SERVICE_ACCOUNT"] == ""
