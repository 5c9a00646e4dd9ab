"""A delivery held against its manifest."""

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from actorline.delivery.manifest import Manifest, Part, StoredRecord, totals_of
from actorline.delivery.read_back import open_delivery
from actorline.delivery.verify import contradictions, verify
from actorline.errors import Code, Reason

ROWS = [b'{"n": 0}\n{"n": 1}\n', b'{"n": 2}\n']


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def delivered(folder: Path, **changes) -> Path:
    """A whole delivery of three rows in two parts and one record, but for `changes` of its manifest."""
    (folder / "records").mkdir(parents=True)
    parts, offset = [], 0
    for number, rows in enumerate(ROWS):
        content, name, count = gzip.compress(rows), f"part-{number:05}.jsonl.gz", rows.count(b"\n")
        (folder / name).write_bytes(content)
        parts.append(
            Part(
                name=name,
                offset=offset,
                limit=10,
                scanned=count,
                items=count,
                bytes=len(content),
                sha256=sha256(content),
            )
        )
        offset += count
    (folder / "records" / "OUTPUT").write_bytes(b"{}")
    record = StoredRecord(key="OUTPUT", name="records/OUTPUT", content_type="", bytes=2, sha256=sha256(b"{}"))
    manifest = Manifest(
        job="j",
        installation="i",
        attempt=1,
        target={"actor": "a/b"},
        run=None,
        dataset_id="d",
        query={"offset": 0},
        format="jsonl",
        compression="gzip",
        parts=parts,
        records=[record],
        totals=totals_of(parts, [record]),
        state="DELIVERED",
        complete=True,
        reason=None,
    ).model_copy(update=changes)
    (folder / "manifest.json").write_text(manifest.model_dump_json())
    (folder / "_SUCCESS").touch()
    return folder


def problems(folder: Path) -> list[tuple[str, str]]:
    return [(problem.file, problem.text) for problem in verify(open_delivery(folder.as_uri()), lambda _: None)]


def test_a_whole_delivery_has_no_problems_and_all_of_it_is_read(tmp_path):
    delivery = open_delivery(delivered(tmp_path / "d").as_uri())
    read: list[int] = []
    assert list(verify(delivery, read.append)) == []
    assert sum(read) == delivery.manifest.totals.bytes + 2


def replace(folder: Path, name: str, content: bytes) -> None:
    """Put a file of the same size in its place."""
    size = (folder / name).stat().st_size
    (folder / name).write_bytes(content.ljust(size, b"\0")[:size])


@pytest.mark.parametrize(
    ("damage", "file", "text"),
    [
        (lambda d: (d / "part-00001.jsonl.gz").unlink(), "part-00001.jsonl.gz", "is missing"),
        (lambda d: (d / "part-00000.jsonl.gz").write_bytes(b"x"), "part-00000.jsonl.gz", "has 1 bytes"),
        (lambda d: replace(d, "part-00000.jsonl.gz", b"x"), "part-00000.jsonl.gz", "can't be read"),
        (lambda d: replace(d, "records/OUTPUT", b"[]"), "records/OUTPUT", "has the sha256 4f53cda1"),
        (lambda d: (d / "records" / "OUTPUT").unlink(), "records/OUTPUT", "is missing"),
        (lambda d: (d / "_SUCCESS").unlink(), "_SUCCESS", "is missing"),
    ],
)
def test_each_damage_is_one_problem_of_its_file(tmp_path, damage, file, text):
    damage(delivered(tmp_path / "d"))
    ((found, said),) = problems(tmp_path / "d")
    assert found == file
    assert said.startswith(text)


def test_rows_are_counted_again(tmp_path):
    folder = delivered(tmp_path / "d")
    manifest = json.loads((folder / "manifest.json").read_text())
    content = gzip.compress(b'{"n": 2}\n{"n": 3}\n')
    (folder / "part-00001.jsonl.gz").write_bytes(content)
    manifest["parts"][1] |= {"bytes": len(content), "sha256": sha256(content)}
    manifest["totals"]["bytes"] = sum(part["bytes"] for part in manifest["parts"])
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert problems(folder) == [("part-00001.jsonl.gz", "has 2 rows, but the manifest says 1")]


def part(number: int, offset: int, scanned: int) -> Part:
    return Part(
        name=f"part-{number:05}.jsonl", offset=offset, limit=10, scanned=scanned, items=scanned, bytes=0, sha256=""
    )


@pytest.mark.parametrize(
    ("parts", "complete", "said"),
    [
        ([part(0, 0, 10), part(1, 10, 5)], True, []),
        ([part(0, 0, 10), part(1, 12, 5)], True, ["begins at 12, but the rows before it end at 10"]),
        ([part(0, 3, 10)], True, ["begins at 3, but the rows before it end at 0"]),
        ([part(0, 0, 10), part(1, 8, 5)], True, ["begins at 8, but the rows before it end at 10"]),
        ([part(0, 0, 10), part(1, 20, 5)], False, []),
        ([part(0, 0, 10), part(1, 8, 5)], False, ["begins at 8, but the rows before it end at 10"]),
    ],
)
def test_complete_rows_have_no_gap_and_none_overlap(tmp_path, parts, complete, said):
    manifest = open_delivery(delivered(tmp_path / "d").as_uri()).manifest.model_copy(
        update={
            "parts": parts,
            "totals": totals_of(parts, []),
            "records": [],
            "complete": complete,
            "state": "DELIVERED" if complete else "PARTIAL",
        }
    )
    assert [problem.text for problem in contradictions(manifest)] == said


def test_sums_and_outcome_must_fit(tmp_path):
    reason = Reason(code=Code.RUN_FAILED, message="The run ended FAILED", billed=True)
    folder = delivered(tmp_path / "d", complete=False, reason=reason)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["totals"]["items"] = 4
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert problems(folder) == [
        ("manifest.json", "says 4 items in total, but its entries add up to 3"),
        ("manifest.json", "says DELIVERED and complete: False"),
        ("_SUCCESS", "exists, although rows are missing"),
    ]
