import pytest

from actorline.delivery.folder import attempt_folder, leftovers, made_anew, superseded_folder
from actorline.delivery.manifest import Manifest, Part, StoredRecord, totals_of


def manifest(attempt: int, parts: list[str], records: list[str] = (), retries: int = 0) -> Manifest:
    listed = [Part(name=name, offset=0, limit=1, scanned=1, items=1, bytes=1, sha256="") for name in parts]
    stored = [StoredRecord(key=name, name=name, content_type="", bytes=1, sha256="") for name in records]
    return Manifest(
        job="j",
        installation="i",
        attempt=attempt,
        target={"actor": "a"},
        run=None,
        dataset_id="d",
        query={},
        format="jsonl",
        compression="gzip",
        parts=listed,
        records=stored,
        totals=totals_of(listed, stored),
        state="PARTIAL",
        complete=False,
        reason=None,
        retries=retries,
    )


def test_the_first_attempt_is_at_the_top_others_in_folders():
    assert [attempt_folder(attempt) for attempt in (1, 2, 10)] == ["", "attempt-2/", "attempt-10/"]
    assert superseded_folder(1) == "superseded-1/"


TOP = ["part-00000.jsonl.gz", "part-00001.jsonl.gz", "records/OUTPUT"]
SECOND = ["attempt-2/part-00000.jsonl.gz", "attempt-2/records/OUTPUT"]


@pytest.mark.parametrize(
    ("files", "listed", "left"),
    [
        (TOP, manifest(1, TOP[:2], TOP[2:]), []),
        (TOP, manifest(1, TOP[:1], [], retries=1), ["part-00001.jsonl.gz", "records/OUTPUT"]),
        ([*TOP, "superseded-0/manifest.json"], manifest(1, TOP[:1], []), ["part-00001.jsonl.gz", "records/OUTPUT"]),
        ([*TOP, *SECOND], manifest(2, SECOND[:1], SECOND[1:]), TOP),
        ([*TOP, *SECOND], manifest(3, ["attempt-3/part-00000.jsonl.gz"]), [*TOP, *SECOND]),
        ([*TOP, *SECOND], manifest(1, TOP[:2], TOP[2:]), []),
        (["items.csv.gz", "attempt-2/items.csv.gz"], manifest(2, ["attempt-2/items.csv.gz"]), ["items.csv.gz"]),
        (["superseded-1/part-00000.jsonl.gz", "superseded-1/manifest.json"], manifest(2, []), []),
        ([*TOP[:2], "records-00000.jsonl", *TOP[2:]], manifest(2, []), [*TOP[:2], "records-00000.jsonl"]),
        (["superseded-1/records-00000.jsonl", *TOP], manifest(2, []), TOP),
        (
            ["manifest.json", "_SUCCESS", "_actorline.json", "_pages/page-00000.csv", "notes.txt", "part-1.csv"],
            manifest(2, []),
            [],
        ),
    ],
)
def test_what_a_manifest_does_not_list_is_left_over_if_ours(files, listed, left):
    assert leftovers(files, listed) == left


def test_pages_that_both_ends_share_stay_made_files_move():
    assert made_anew(manifest(1, TOP[:2]), {"part-00000.jsonl.gz", "part-00001.jsonl.gz", "part-00002.jsonl.gz"}) == []
    assert made_anew(manifest(1, ["items.csv"]), {"_pages/page-00000.csv"}) == ["items.csv"]
    assert made_anew(manifest(1, TOP[:2]), {"attempt-2/part-00000.jsonl.gz"}) == TOP[:2]
