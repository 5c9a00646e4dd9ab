"""A delivery read back through its manifest."""

import gzip
import io
import json
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actorline.delivery.manifest import ChangeCounts, ChangedFile, Changes, Manifest, Part, StoredRecord, totals_of
from actorline.delivery.read_back import (
    BLOCK_BYTES,
    DamagedDelivery,
    Delivery,
    NoDelivery,
    NotCompared,
    UnreadableRows,
    open_delivery,
)
from actorline.delivery.sink import SinkError

ROWS = [[{"n": n, "text": f"á\n{n}"} for n in range(3)], [{"n": 3}], [{}, {"n": None, "deep": {"a": [1]}}]]


def deliver(
    folder: Path,
    parts: list[bytes],
    *,
    compression: str = "gzip",
    records: dict[str, bytes] | None = None,
    format_: str = "jsonl",
    query: dict[str, str] | None = None,
) -> str:
    """Lay a delivery out as a job does; returns the folder's URL."""
    (folder / "records").mkdir(parents=True)
    listed = []
    for number, content in enumerate(parts):
        name = f"part-{number:05}.{format_}" + (".gz" if compression == "gzip" else "")
        (folder / name).write_bytes(content)
        listed.append(Part(name=name, offset=0, limit=1, scanned=1, items=1, bytes=len(content), sha256=""))
    stored = []
    for key, content in (records or {}).items():
        (folder / "records" / key).write_bytes(content)
        name = f"records/{key}"
        stored.append(StoredRecord(key=key, name=name, content_type="", bytes=len(content), sha256=""))
    manifest = Manifest(
        job="j",
        installation="i",
        attempt=1,
        target={"actor": "a/b"},
        run=None,
        dataset_id="d",
        query=query or {},
        format=format_,
        compression=compression,
        parts=listed,
        records=stored,
        totals=totals_of(listed, stored),
        state="DELIVERED",
        complete=True,
        reason=None,
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    return folder.as_uri() + "/"


def lines_of(rows: list) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_rows_come_in_the_order_of_the_parts(tmp_path, compression):
    pack = gzip.compress if compression == "gzip" else bytes
    delivery = open_delivery(deliver(tmp_path / "d", [pack(lines_of(p)) for p in ROWS], compression=compression))
    assert list(delivery.items()) == [row for part in ROWS for row in part]
    assert b"".join(delivery.blocks()) == b"".join(lines_of(part) for part in ROWS)


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize(("offset", "limit"), [(0, None), (0, 2), (2, 2), (3, 1), (5, 9), (6, 1), (99, None)])
def test_a_range_of_the_rows_begins_and_ends_in_any_part(tmp_path, compression, offset, limit):
    pack = gzip.compress if compression == "gzip" else bytes
    delivery = open_delivery(deliver(tmp_path / "d", [pack(lines_of(p)) for p in ROWS], compression=compression))
    for part, rows in zip(delivery.manifest.parts, ROWS, strict=True):
        part.items = len(rows)
    wanted = [row for part in ROWS for row in part][offset : None if limit is None else offset + limit]
    assert b"".join(delivery.range_blocks(offset, limit)) == lines_of(wanted)


def test_a_range_does_not_read_the_parts_before_it(tmp_path):
    broken = gzip.compress(lines_of(ROWS[0]))[:-8]
    delivery = open_delivery(deliver(tmp_path / "d", [broken, gzip.compress(lines_of(ROWS[1]))]))
    delivery.manifest.parts[0].items = 3
    assert b"".join(delivery.range_blocks(3, None)) == lines_of(ROWS[1])
    with pytest.raises(DamagedDelivery):
        list(delivery.range_blocks(2, None))


def test_the_parts_as_they_are_stored_are_one_gzip_file(tmp_path):
    delivery = open_delivery(deliver(tmp_path / "d", [gzip.compress(lines_of(p)) for p in ROWS]))
    stored = b"".join(delivery.stored_blocks())
    assert len(stored) == delivery.manifest.totals.bytes
    assert gzip.decompress(stored) == b"".join(lines_of(part) for part in ROWS)


def with_changes(folder: Path, changes: Changes | None) -> Delivery:
    """A delivery with two files of added rows and an empty one of removed ones."""
    delivery = open_delivery(deliver(folder / "d", []))
    (folder / "d" / "changes").mkdir()
    for number, rows in enumerate(ROWS[:2]):
        (folder / "d" / "changes" / f"added-{number:05}.jsonl.gz").write_bytes(gzip.compress(lines_of(rows)))
    (folder / "d" / "changes" / "removed-00000.jsonl.gz").write_bytes(gzip.compress(b""))
    delivery.manifest.changes = changes
    return delivery


def listed_changes(folder: Path) -> Changes:
    files = [
        ChangedFile(kind=path.name.partition("-")[0], name=f"changes/{path.name}", rows=1, bytes=path.stat().st_size,
                    sha256="")
        for path in sorted((folder / "d" / "changes").iterdir())
    ]  # fmt: skip
    return Changes(key=["n"], base="i", counts=ChangeCounts(added=4, removed=0, changed=0, unchanged=0, files=files))


def test_changes_are_read_by_their_kind(tmp_path):
    delivery = with_changes(tmp_path, None)
    delivery.manifest.changes = listed_changes(tmp_path)
    assert list(delivery.changes("added")) == [*ROWS[0], *ROWS[1]]
    assert list(delivery.changes("removed")) == []
    (tmp_path / "d" / "changes" / "added-00001.jsonl.gz").unlink()
    with pytest.raises(DamagedDelivery, match=r"added-00001\.jsonl\.gz is missing"):
        delivery.change_blocks("added")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (None, "It was ordered without `delta`"),
        (Changes(key=["n"], base="i", error="The disk is full."), r"isn't known: The disk is full\."),
    ],
)
def test_changes_that_are_not_known_are_refused(tmp_path, changes, why):
    with pytest.raises(NotCompared, match=why):
        with_changes(tmp_path, changes).change_blocks("added")


def test_folder_and_manifest_name_the_same_delivery(tmp_path):
    url = deliver(tmp_path / "d", [gzip.compress(b"{}\n")])
    assert open_delivery(url).manifest == open_delivery(url + "manifest.json").manifest
    assert open_delivery(url.rstrip("/")).manifest.job == "j"


def test_rows_of_several_gzip_members_are_all_read(tmp_path):
    members = b"".join(gzip.compress(lines_of(part)) for part in ROWS)
    delivery = open_delivery(deliver(tmp_path / "d", [members]))
    assert list(delivery.items()) == [row for part in ROWS for row in part]


def test_blocks_stay_small_whatever_the_ratio_of_compression(tmp_path):
    row = orjson.dumps("x" * (20 * BLOCK_BYTES))
    delivery = open_delivery(deliver(tmp_path / "d", [gzip.compress(row + b"\n")]))
    assert max(map(len, delivery.blocks())) <= BLOCK_BYTES
    assert list(delivery.lines()) == [row]


def test_a_missing_part_is_told_before_the_first_row(tmp_path):
    url = deliver(tmp_path / "d", [gzip.compress(b"{}\n"), gzip.compress(b"{}\n")])
    (tmp_path / "d" / "part-00001.jsonl.gz").unlink()
    with pytest.raises(DamagedDelivery, match=r"part-00001\.jsonl\.gz is missing"):
        open_delivery(url).blocks()


def test_a_part_of_another_size_is_told_before_the_first_row(tmp_path):
    url = deliver(tmp_path / "d", [b"{}\n", b"{}\n"], compression="none")
    (tmp_path / "d" / "part-00001.jsonl").write_bytes(b"{}\n{}\n")
    with pytest.raises(DamagedDelivery, match="isn't as long as the manifest says"):
        open_delivery(url).blocks()


@pytest.mark.parametrize("damage", ["header", "data", "cut"])
def test_a_corrupt_part_ends_in_an_error_not_in_fewer_rows(tmp_path, damage):
    whole = bytearray(gzip.compress(lines_of([{"n": n} for n in range(1000)])))
    if damage == "cut":
        whole = whole[:-20]
    else:
        whole[0 if damage == "header" else 40] ^= 0xFF
    delivery = open_delivery(deliver(tmp_path / "d", [bytes(whole)]))
    with pytest.raises(DamagedDelivery, match="can't be read to its end"):
        list(delivery.lines())


def test_records_are_read_by_their_key(tmp_path):
    delivery = open_delivery(deliver(tmp_path / "d", [], records={"OUTPUT": b"{}", "page.html": b"<p>"}))
    assert [record.key for record in delivery.records()] == ["OUTPUT", "page.html"]
    with delivery.open_record("page.html") as record:
        assert record.read() == b"<p>"
    with pytest.raises(NoDelivery, match=r"no record NOPE\. .*: OUTPUT, page\.html"):
        delivery.open_record("NOPE")


def test_a_folder_without_a_manifest_is_no_delivery(tmp_path):
    with pytest.raises(NoDelivery, match="no delivery at"):
        open_delivery(tmp_path.as_uri() + "/")
    with pytest.raises(SinkError):
        open_delivery("s3://bucket/rows/")


def test_a_manifest_that_cannot_be_understood_is_damage(tmp_path):
    (tmp_path / "manifest.json").write_text('{"version": 9}')
    with pytest.raises(DamagedDelivery, match="not a manifest"):
        open_delivery(tmp_path.as_uri() + "/")


def open_text(folder: Path, format_: str, *texts: str, **query: str) -> Delivery:
    parts = [gzip.compress(text.encode()) for text in texts]
    return open_delivery(deliver(folder / "d", parts, format_=format_, query=query))


def test_arrays_are_read_and_shown_as_lines(tmp_path):
    delivery = open_text(tmp_path, "json", '[\n{"a":"],"},\n{"a":2}\n]\n', "[\n\n]\n", "[\n[]\n]\n")
    assert list(delivery.items()) == [{"a": "],"}, {"a": 2}, []]
    assert b"".join(delivery.blocks()) == b'{"a":"],"}\n{"a":2}\n[]\n'


def test_csv_is_read_as_strings_by_column_and_shown_as_it_is(tmp_path):
    texts = ['\ufeffa;b\r\n1;"x;""\ny"\r\n', ";\r\n\r\n"]
    delivery = open_text(tmp_path, "csv", *texts, delimiter=";")
    assert list(delivery.items()) == [{"a": "1", "b": 'x;"\ny'}, {"a": "", "b": ""}, {"a": "", "b": ""}]
    assert next(iter(delivery.lines())) == b'{"a":"1","b":"x;\\"\\ny"}'
    assert b"".join(delivery.blocks()) == "".join(texts).encode()


@pytest.mark.parametrize("text", ["a,b\n1\n", 'a,b\n1,"2\n'])
def test_csv_that_does_not_fit_its_header_is_damaged(tmp_path, text):
    with pytest.raises(DamagedDelivery, match=r"The rows in .* are damaged"):
        list(open_text(tmp_path, "csv", text).items())


def test_parquet_is_read_and_shown_as_lines(tmp_path):
    table, file = pa.table({"a": [1, None], "b": [["x"], []]}), io.BytesIO()
    pq.write_table(table, file)
    delivery = open_delivery(deliver(tmp_path / "d", [file.getvalue()], compression="none", format_="parquet"))
    assert list(delivery.items()) == [{"a": 1, "b": ["x"]}, {"a": None, "b": []}]
    assert b"".join(delivery.blocks()) == b'{"a":1,"b":["x"]}\n{"a":null,"b":[]}\n'


@pytest.mark.parametrize(
    ("format_", "query", "why"),
    [
        ("xml", {}, "xml is read file by file"),
        ("html", {}, "html is read file by file"),
        ("csv", {"skipHeaderRow": "true"}, "without a header row has no names"),
    ],
)
def test_rows_that_are_read_by_file_say_so_and_name_the_file(tmp_path, format_, query, why):
    delivery = open_text(tmp_path, format_, "<items/>", **query)
    for rows in (delivery.items, delivery.lines):
        with pytest.raises(UnreadableRows, match=rf"{why}.*part-00000\.{format_}\.gz"):
            rows()
    assert b"".join(delivery.blocks()) == b"<items/>"


def test_parquet_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("actorline.delivery.read_back.has_parquet", lambda: False)
    with pytest.raises(UnreadableRows, match=r"install actorline\[parquet\]"):
        open_text(tmp_path, "parquet", "").items()


def test_a_row_with_half_a_surrogate_is_read(tmp_path):
    assert list(open_text(tmp_path, "jsonl", '{"a":"\\ud83d"}\n').items()) == [{"a": "\ud83d"}]


def test_a_row_of_any_depth_is_read(tmp_path):
    deep = b'{"t":' + b"[" * 1100 + b"]" * 1100 + b"}"
    delivery = open_delivery(deliver(tmp_path, [b'{"n":0}\n' + deep + b"\n"], compression="none"))
    first, row = delivery.items()
    levels, value = 0, row["t"]
    while value:
        levels, (value,) = levels + 1, value
    assert (first, levels) == ({"n": 0}, 1099)
    assert list(delivery.lines()) == [b'{"n":0}', deep]


def test_a_row_that_is_no_json_is_named(tmp_path):
    delivery = open_delivery(deliver(tmp_path, [b'{"n":0}\n{"n":\n'], compression="none"))
    with pytest.raises(DamagedDelivery, match=r"Row 1 .* is not JSON"):
        list(delivery.items())


def test_a_line_without_end_is_not_held(tmp_path, monkeypatch):
    monkeypatch.setattr("actorline.delivery.formats.text.ROW_BYTES_MAX", 1000)
    delivery = open_delivery(deliver(tmp_path, [b"x" * 2000], compression="none"))
    with pytest.raises(DamagedDelivery, match="more than 1,000 bytes"):
        list(delivery.lines())


def test_a_delivery_of_the_first_version_is_read_whole(tmp_path):
    """Its manifest has no `queued_at` and no `record_indexes`, and its records lie under their keys."""
    url = deliver(tmp_path / "d", [gzip.compress(b'{"n": 1}\n')], records={"OUTPUT": b"{}", "r" * 233: b"long"})
    names = {"%2Ehid": b"hid", "manifest.json": b"{}", "_SUCCESS": b"", "x'()!": b"odd"}
    manifest = json.loads((tmp_path / "d" / "manifest.json").read_text())
    for name, content in names.items():
        (tmp_path / "d" / "records" / name).write_bytes(content)
        manifest["records"].append(
            {
                "key": name.replace("%2E", "."),
                "name": f"records/{name}",
                "content_type": "",
                "bytes": len(content),
                "sha256": "",
            }
        )
    manifest["totals"]["records"] += len(names)
    del manifest["queued_at"], manifest["record_indexes"]
    (tmp_path / "d" / "manifest.json").write_text(json.dumps(manifest))
    delivery = open_delivery(url, key="j")
    assert list(delivery.items()) == [{"n": 1}]
    for key, content in {".hid": b"hid", "manifest.json": b"{}", "x'()!": b"odd", "r" * 233: b"long"}.items():
        with delivery.open_record(key) as record:
            assert record.read() == content


def test_a_delivery_is_read_only_for_the_job_that_made_it(tmp_path):
    url = deliver(tmp_path / "d", [])
    for expected in ({"key": "other"}, {"sha256": "0" * 64}):
        with pytest.raises(DamagedDelivery, match="isn't the one that the job delivered"):
            open_delivery(url, **expected)
