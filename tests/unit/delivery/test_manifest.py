from actorline.delivery.manifest import Manifest, Part, StoredRecord, Totals, fingerprint, parts_of, totals_of
from actorline.delivery.receipt import Receipt
from actorline.errors import Code


def receipt(page_no: int, offset: int, scanned: int, items: int, part: str | None) -> Receipt:
    return Receipt(
        page_no=page_no, offset=offset, limit=10, scanned=scanned, items=items, bytes=7 * items, sha256="ab", part=part
    )


def test_parts_are_in_the_order_of_the_rows():
    receipts = [
        receipt(2, 15, 0, 0, None),
        receipt(1, 10, 5, 4, "part-00001.jsonl.gz"),
        receipt(0, 0, 10, 10, "part-00000.jsonl.gz"),
    ]
    assert parts_of(receipts) == [
        Part(name="part-00000.jsonl.gz", offset=0, limit=10, scanned=10, items=10, bytes=70, sha256="ab"),
        Part(name="part-00001.jsonl.gz", offset=10, limit=10, scanned=5, items=4, bytes=28, sha256="ab"),
    ]


def test_totals_are_the_sums_of_what_lies_there():
    parts = parts_of([receipt(0, 0, 10, 10, "part-00000.jsonl.gz"), receipt(1, 10, 5, 4, "part-00001.jsonl.gz")])
    record = StoredRecord(key="OUTPUT", name="records/OUTPUT", content_type="application/json", bytes=2, sha256="cd")
    assert totals_of(parts, [record]) == Totals(scanned=15, items=14, bytes=98, parts=2, records=1)
    assert totals_of([], []) == Totals(scanned=0, items=0, bytes=0, parts=0, records=0)


def test_a_receipt_is_bad_if_it_says_why():
    good = receipt(0, 0, 10, 10, "part-00000.jsonl.gz")
    assert good.is_good
    assert not good.model_copy(update={"error": "cut", "code": Code.PAGE_UNREADABLE}).is_good
    assert Receipt.model_validate_json(good.model_dump_json()) == good


MADE = {
    "version": 1, "job": "j", "installation": "al-1", "attempt": 1, "target": {"actor": "a/b"}, "dataset_id": "d1",
    "run": {"id": "r1", "status": "SUCCEEDED", "status_message": None, "started_at": None, "finished_at": None,
            "cost_usd": 0.1},
    "query": {}, "format": "jsonl", "compression": "gzip",
    "parts": [{"name": "part-00000.jsonl.gz", "offset": 0, "limit": 1, "scanned": 1, "items": 1, "bytes": 9,
               "sha256": "ab"}],
    "records": [], "totals": {"scanned": 1, "items": 1, "bytes": 9, "parts": 1, "records": 0},
    "state": "DELIVERED", "complete": True, "reason": None,
}  # fmt: skip


def test_a_fingerprint_outlives_final_figures_and_later_versions():
    """Ledgers hold it: this manifest's must never change."""
    made = Manifest.model_validate(MADE)
    assert fingerprint(made) == "58a5e749cfa67dbd5bf1ad5d2b8b05c16fc077195346f530c6fe2b8878a4fe17"
    settled = made.model_copy(update={"run": made.run.model_copy(update={"cost_usd": 0.2, "settled": True})})
    assert fingerprint(settled) == fingerprint(made)
    assert fingerprint(made.model_copy(update={"job": "k"})) != fingerprint(made)
    part = made.parts[0].model_copy(update={"sha256": "cd"})
    assert fingerprint(made.model_copy(update={"parts": [part]})) != fingerprint(made)
