"""Rows in every format, over several pages and in one file, against what the emulator generated, by other readers."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

import duckdb
import pytest
from real_parts import Delivery, delivery_of, reason_of, running_workers, wait_for
from terminal import actorline

from actorline.delivery.read_back import open_delivery

Deliver = Callable[..., tuple[dict[str, Any], Delivery]]
FAULTS = [
    {"action": "cut_body", "after_bytes": 3000, "times": 2},
    {"action": "status", "status": 500, "times": 2},
    {"action": "status", "status": 200, "html": "<html>Maintenance</html>", "times": 1},
]


@pytest.fixture
def deliver(line) -> Deliver:
    """Runs a job of the Actor to its end and returns its result and what lies in the sink."""

    def run(actor: str, format_: str, *, sink: dict[str, Any] | None = None, **collect: Any):
        order = {"actor": actor, "collect": {"records": [], "format": format_, **collect}, "sink": sink or {}}
        result = line.submit({**order, "poll_interval_secs": 1}).get(timeout=120)
        return result, delivery_of(result)

    return run


@pytest.fixture(scope="module")
def actor(line) -> str:
    """The same 2,000 items for every format."""
    return line.emulator.actor("formats", items=2000, duration_secs=0)


@pytest.fixture(params=[None, *FAULTS], ids=["healthy", "cut", "500", "maintenance"])
def maybe_faults(request, faults) -> None:
    if request.param:
        faults({"method": "GET", "path_regex": "/items$", **request.param})


def items_of(line, result: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    return [json.loads(row) for row in line.emulator.item_lines(result["dataset_id"], query).splitlines()]


def in_one_answer(line, result: dict[str, Any], format_: str, query: str = "") -> bytes:
    return line.emulator.read(f"/v2/datasets/{result['dataset_id']}/items?format={format_}&{query}")


def csv_rows(text: bytes, delimiter: str = ",") -> Iterator[dict[str, str]]:
    lines = io.StringIO(text.decode("utf-8-sig"), newline="")
    return ({name: cell for name, cell in row.items() if cell} for row in csv.DictReader(lines, delimiter=delimiter))


def assert_delivered(result: dict[str, Any], delivery: Delivery, files: set[str], rows: int = 2000) -> None:
    assert (result["state"], result["items"], result["reason"]) == ("DELIVERED", rows, None)
    assert {"manifest.json", "_SUCCESS", "_actorline.json", *files} == delivery.files
    assert [part["name"] for part in delivery.manifest["parts"]] == sorted(files)
    assert sum(part["items"] for part in delivery.manifest["parts"]) == rows
    assert result["bytes"] == sum((delivery.folder / name).stat().st_size for name in files)


def parts(suffix: str, count: int = 4) -> set[str]:
    return {f"part-{no:05}.{suffix}" for no in range(count)}


def test_each_part_of_json_is_a_valid_array(line, deliver, actor):
    result, delivery = deliver(actor, "json", page_items=600)
    assert_delivered(result, delivery, parts("json.gz"))
    arrays = [json.loads(delivery.plain(part["name"])) for part in delivery.manifest["parts"]]
    assert [len(array) for array in arrays] == [600, 600, 600, 200]
    assert [item for array in arrays for item in array] == items_of(line, result)
    assert list(open_delivery(result["manifest"]).items()) == items_of(line, result)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_single_file_of_json_is_one_valid_array(line, deliver, actor, compression):
    result, delivery = deliver(
        actor, "json", page_items=600, clean=True, sink={"single_file": True, "compression": compression}
    )
    assert_delivered(result, delivery, {"items.json.gz" if compression == "gzip" else "items.json"}, 1998)
    assert json.loads(delivery.lines) == items_of(line, result, "clean=1")


def test_single_file_of_lines_is_what_one_single_answer_holds(line, deliver, actor):
    result, delivery = deliver(actor, "jsonl", page_items=600, sink={"single_file": True})
    assert_delivered(result, delivery, {"items.jsonl.gz"})
    assert delivery.lines == line.emulator.item_lines(result["dataset_id"])


@pytest.mark.usefixtures("maybe_faults")
@pytest.mark.parametrize("single_file", [False, True])
def test_csv_pages_with_other_columns_become_one_table(line, deliver, actor, single_file):
    result, delivery = deliver(actor, "csv", page_items=600, sink={"single_file": single_file})
    assert_delivered(result, delivery, {"items.csv.gz"} if single_file else parts("csv.gz"))
    line.emulator.end_faults()
    assert delivery.lines.startswith("\ufeff".encode())
    expected = list(csv_rows(in_one_answer(line, result, "csv")))
    assert list(csv_rows(delivery.lines)) == expected
    read = [{name: cell for name, cell in row.items() if cell} for row in open_delivery(result["manifest"]).items()]
    assert read == expected


def test_csv_with_fixed_fields_is_what_one_single_answer_holds(line, deliver, actor):
    result, delivery = deliver(actor, "csv", page_items=600, fields=["index", "title"], delimiter=";", bom=False)
    assert_delivered(result, delivery, parts("csv.gz"))
    assert delivery.lines == in_one_answer(line, result, "csv", "fields=index,title&delimiter=%3B&bom=0")


def test_parquet_has_every_value_in_its_column(line, deliver, actor):
    result, delivery = deliver(actor, "parquet", page_items=600)
    assert_delivered(result, delivery, parts("parquet"))
    expected = items_of(line, result)
    files = sorted(str(delivery.folder / name) for name in parts("parquet"))
    columns = duckdb.sql(f"select * from read_parquet({files}) limit 0").columns
    assert columns == list(dict.fromkeys(name for item in expected for name in item))
    found = duckdb.sql(
        f'select index, title, "a.b", address.geo.lng, len(offers) from read_parquet({files})'
    ).fetchall()
    assert found == [
        (
            item.get("index"),
            item.get("title"),
            item.get("a.b"),
            item.get("address", {}).get("geo", {}).get("lng"),
            len(item["offers"]) if "offers" in item else None,
        )
        for item in expected
    ]
    rows = open_delivery(result["manifest"]).items()
    mixed = [row["mixed"] and [one and json.loads(one) for one in row["mixed"]] for row in rows]
    assert mixed == [item.get("mixed") for item in expected]


def test_single_file_of_parquet_is_one_file(line, deliver, actor):
    result, delivery = deliver(actor, "parquet", page_items=600, unwind=["offers"], sink={"single_file": True})
    expected = items_of(line, result, "unwind=offers")
    assert_delivered(result, delivery, {"items.parquet"}, len(expected))
    file = delivery.folder / "items.parquet"
    assert duckdb.sql(f"select index, shop from '{file}'").fetchall() == [
        (item.get("index"), item.get("shop")) for item in expected
    ]


@pytest.mark.usefixtures("maybe_faults")
def test_xml_is_passed_through_in_one_file(line, deliver, actor):
    result, delivery = deliver(actor, "xml", xml_root="rows", xml_row="row", bom=True)
    assert_delivered(result, delivery, {"items.xml.gz"})
    line.emulator.end_faults()
    assert delivery.lines == in_one_answer(line, result, "xml", "xmlRoot=rows&xmlRow=row&bom=1")
    refused = actorline(line, "items", result["key"], "--json")
    assert (refused.code, json.loads(refused.out)["reason"]["code"]) == (5, "request-invalid")  # as over HTTP
    assert [row.findtext("index") for row in ET.fromstring(delivery.lines)] == [
        str(item["index"]) if item else None for item in items_of(line, result)
    ]


def test_xlsx_is_passed_through_in_one_file_that_is_no_gzip(line, deliver, actor):
    result, delivery = deliver(actor, "xlsx", fields=["index", "title"], clean=True, offset=100)
    assert_delivered(result, delivery, {"items.xlsx"}, 1898)
    with zipfile.ZipFile(delivery.folder / "items.xlsx") as book:
        assert book.testzip() is None
        (rows,) = ET.fromstring(book.read("xl/worksheets/sheet1.xml"))
    cells = [["".join(cell.itertext()) for cell in row] for row in rows]
    assert cells[0] == ["index", "title"]
    expected = items_of(line, result, "fields=index,title&clean=1&offset=100")
    assert [row[0] for row in cells[1:]] == [str(item["index"]) for item in expected]


@pytest.mark.parametrize("format_", ["html", "rss"])
def test_other_markup_is_passed_through_in_one_file(line, deliver, actor, format_):
    result, delivery = deliver(actor, format_, limit=700, desc=True, sink={"compression": "none"})
    assert_delivered(result, delivery, {f"items.{format_}"}, 700)
    assert delivery.lines == in_one_answer(line, result, format_, "limit=700&desc=1")


def test_dataset_too_large_for_one_file_says_what_to_do(line, deliver):
    actor = line.emulator.actor("too-large", items=250_000, item_kind="tiny", duration_secs=0)
    with pytest.raises(Exception, match="format-failed") as failed:
        deliver(actor, "xml")
    dataset_id = json.loads(failed.value.args[0])["dataset_id"]
    assert f"order dataset_id {dataset_id} as jsonl" in reason_of(failed.value)["message"]
    assert line.emulator.requests("GET", f"/v2/datasets/{dataset_id}/items") == []
    limited, delivery = deliver(actor, "xml", limit=10)
    assert_delivered(limited, delivery, {"items.xml.gz"}, 10)


def test_rows_behind_a_lagging_counter_are_in_the_one_file(line, deliver):
    actor = line.emulator.actor("lagging-xml", items=300, duration_secs=0, initial_total=10, counter_lag_secs=60)
    result, delivery = deliver(actor, "xml")
    assert_delivered(result, delivery, {"items.xml.gz"}, 300)


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet", "xml"])
def test_dataset_without_rows_leaves_no_file(line, deliver, format_):
    actor = line.emulator.actor("no-rows", items=0, duration_secs=0)
    result, delivery = deliver(actor, format_, sink={"single_file": True})
    assert_delivered(result, delivery, set(), 0)
    assert list(open_delivery(result["manifest"]).blocks()) == []


def test_items_that_are_no_table_are_delivered_as_lines(line, deliver):
    actor = line.emulator.actor("no-table", items=500, duration_secs=0)
    result, delivery = deliver(actor, "parquet", page_items=300, fields=["nowhere"])
    assert (result["state"], result["reason"]["code"]) == ("PARTIAL", "format-failed")
    assert "no item has any field" in result["reason"]["message"]
    assert delivery.lines == b"{}\n" * 500
    assert list(open_delivery(result["manifest"]).items()) == [{}] * 500


def test_retry_makes_the_single_file_again_from_stored_pages(line, faults):
    record = {"OUTPUT": {"content_type": "text/plain", "body": "the report"}}
    actor = line.emulator.actor("csv-again", items=700, duration_secs=0, records=record)
    faults({"action": "status", "status": 403, "type": "insufficient-permissions", "path_regex": "/records/OUTPUT$"})
    order = {"key": "csv-again", "actor": actor, "poll_interval_secs": 1, "sink": {"single_file": True}}
    partial = line.submit({**order, "collect": {"format": "csv", "page_items": 300}}).get(timeout=120)
    assert (partial["state"], partial["reason"]["code"]) == ("PARTIAL", "record-unreadable")
    first = delivery_of(partial)
    line.emulator.end_faults()
    line.send("actorline.retry", "csv-again").get(timeout=120)
    wait_for(lambda: line.state("csv-again") == "DELIVERED", what="the delivery")
    again = delivery_of(partial)
    assert again.lines == first.lines
    assert {name for name in again.files if not name.startswith("superseded-")} == {
        "_actorline.json", "_SUCCESS", "manifest.json", "items.csv.gz", "records/OUTPUT",
    }  # fmt: skip
    assert again.manifest["parts"] == first.manifest["parts"]


def test_retry_of_a_failed_run_keeps_attempts_apart(line):
    actor = line.emulator.actor("json-again", items=500, duration_secs=0.3, final_status="FAILED")
    order = {"key": "json-again", "actor": actor, "poll_interval_secs": 1, "sink": {"single_file": True}}
    partial = line.submit({**order, "collect": {"format": "json", "page_items": 200}}).get(timeout=120)
    assert [part["name"] for part in delivery_of(partial).manifest["parts"]] == ["items.json.gz"]
    line.emulator.actor("json-again", items=300, duration_secs=0.3, seed=5)
    line.send("actorline.retry", "json-again").get(timeout=120)
    wait_for(lambda: line.state("json-again") == "DELIVERED", what="the delivery")
    delivery = delivery_of(partial)
    assert [part["name"] for part in delivery.manifest["parts"]] == ["attempt-2/items.json.gz"]
    job = line.ledger.load("json-again")
    assert json.loads(delivery.lines) == items_of(line, {"dataset_id": job.run.dataset_id})
    assert job.collection.byte_count == (delivery.folder / "attempt-2/items.json.gz").stat().st_size


@pytest.mark.thorough
def test_parquet_without_its_library_is_refused_before_a_run(own_line, tmp_path):
    line = own_line("no-parquet")
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pyarrow'] = None")
    line.environment["PYTHONPATH"] = str(tmp_path)
    actor = line.emulator.actor("no-parquet", items=1)
    with running_workers(line, "control"), pytest.raises(Exception, match="format-refused") as refused:
        line.submit({"actor": actor, "collect": {"format": "parquet"}}).get(timeout=120)
    reason = reason_of(refused.value)
    assert (reason["billed"], "actorline[parquet]" in reason["message"]) == (False, True)
    assert line.emulator.starts(actor) == []
