"""What changed since the last delivery (`delta`), on real parts: rows, refusals, bases that are gone, deaths."""

import gzip
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gateway_process import running_gateway
from naive_changes import naive_changes
from real_parts import ROOT, Line, delivery_of, reason_of, running_workers, start_worker, wait_for
from terminal import actorline

from actorline.client import Client
from actorline.delivery.read_back import open_delivery
from actorline.delivery.verify import verify
from actorline.jobs.sender import FROM_TERMINAL
from actorline.ledger.queries.tally import read_tally
from actorline.orders.submit import submit
from actorline.settings import Settings

KEY = ["index"]


@pytest.fixture(scope="module")
def actor(line) -> str:
    return line.emulator.actor("changes", items=300, item_kind="plain", duration_secs=0)


def order(actor: str, label: str, *, items: int = 300, seed: int = 1, **fields: Any) -> dict[str, Any]:
    """An order whose rows are the items up to `items`, as `seed` makes them."""
    return {
        "actor": actor,
        "input": {"emulate": {"items": items, "seed": seed}},
        "labels": {"site": label},
        "collect": {"records": [], "page_items": 100, **fields.pop("collect", {})},
        "poll_interval_secs": 1,
        **fields,
    }


def changes_in(result: dict[str, Any]) -> dict[str, list[Any]]:
    """The rows of each kind, as a reader finds them in the sink."""
    folder = Path(result["sink"].removeprefix("file://"))
    listed = delivery_of(result).manifest["changes"]["counts"]["files"]
    assert {file["name"] for file in listed} == {
        f"changes/{kind}-00000.jsonl.gz" for kind in ("added", "removed", "changed")
    }
    found = {file["kind"]: gzip.decompress((folder / file["name"]).read_bytes()).splitlines() for file in listed}
    return {kind: [json.loads(line) for line in lines] for kind, lines in found.items()}


def test_changes_since_the_last_delivery_lie_beside_the_rows(line, actor):
    first = line.submit(order(actor, "whole", delta={"key": KEY})).get(timeout=120)
    assert first["changes"] | {"added": 300} == first["changes"]
    assert (first["changes"]["base"], first["changes"]["unchanged"]) == (None, 0)
    # ten rows are missing, twenty are new, and all others differ, as another seed makes other prices
    collect = {"offset": 10}
    later = line.submit(order(actor, "whole", items=320, seed=2, collect=collect, delta={"key": KEY})).get(timeout=120)
    assert (later["state"], later["items"]) == ("DELIVERED", 310)
    rows = [delivery_of(each).lines.splitlines() for each in (first, later)]
    found = changes_in(later)
    expected = naive_changes(*rows, KEY)
    assert (found["added"], found["removed"]) == (expected["added"], expected["removed"])
    assert [{"before": row["before"], "after": row["after"]} for row in found["changed"]] == expected["changed"]
    assert all(row["fields"] for row in found["changed"])
    counts = {name: later["changes"][name] for name in ("base", "added", "removed", "changed", "unchanged", "error")}
    assert counts == {"base": first["key"], "added": 20, "removed": 10, "changed": 290, "unchanged": 0, "error": None}
    assert list(verify(open_delivery(later["manifest"]), lambda _: None)) == []
    assert "comparing" in line.events(later["key"])


@pytest.mark.thorough
def test_changes_are_read_from_terminal_http_and_python(line, actor):
    first = line.submit(order(actor, "read", items=20)).get(timeout=120)
    delta = {"key": KEY, "base": first["key"]}
    later = line.submit(order(actor, "read", items=25, collect={"offset": 3}, delta=delta)).get(timeout=120)
    expected = changes_in(later)
    assert [len(expected[kind]) for kind in ("added", "removed", "changed")] == [5, 3, 0]

    assert (
        f"changes since {first['key']}: 5 added, 3 removed, 0 changed" in actorline(line, "changes", later["key"]).out
    )
    with (
        running_gateway(line) as gateway,
        Client(line.broker, line.results, queue=line.namespace) as client,
    ):
        http = gateway.http
        for kind, rows in expected.items():
            found = (
                actorline(line, "changes", later["key"], kind).out,
                http.get(f"/v1/jobs/{later['key']}/changes/{kind}").text,
            )
            assert [[json.loads(line) for line in text.splitlines()] for text in found] == [rows, rows]
            assert list(client.iter_changes(later["key"], kind)) == rows
        with pytest.raises(ValueError, match="changes are added, removed, changed"):
            list(client.iter_changes(later["key"], "addded"))
        unknown = [http.get(f"/v1/jobs/{first['key']}/changes/added"), http.get(f"/v1/jobs/{later['key']}/changes/new")]
        assert [response.status_code for response in unknown] == [404, 422]
    refused = actorline(line, "changes", first["key"], "added")
    assert (refused.code, refused.out) == (5, "")
    assert "It was ordered without `delta`" in refused.err
    tally = read_tally(line.ledger)
    assert tally.count("changes:added") >= 5
    assert tally.count("comparisons:made") >= 1


@pytest.mark.thorough
def test_a_misspelt_key_is_told_wherever_changes_are(line, actor):
    key = line.submit(order(actor, "misspelt", items=20, delta={"key": ["indx"]})).get(timeout=120)["key"]
    doubt = "0 unchanged, 20 without a key. No row has the key: is each field's name right?"
    assert doubt in actorline(line, "changes", key).out
    assert "0 changed, and 20 rows have no key" in actorline(line, "show", key).out
    with running_gateway(line) as gateway:
        page = " ".join(gateway.http.get(f"/jobs/{key}").text.split())
    assert "No row has the key indx, so none was compared." in page
    assert "every row is new" not in page


@pytest.mark.thorough
def test_a_contract_is_learned_from_deliveries(line, actor):
    key = "learned@2026-11-23T03:00:00Z"
    line.submit({**order(actor, "learned"), "key": "learned-1"}).get(timeout=120)
    submit(
        {**order(actor, "learned"), "key": key},
        ledger=line.ledger,
        settings=Settings(home=line.home),
        trusted=True,
        sender=FROM_TERMINAL,
    )
    line.send("actorline.start_run", key, line.ledger.load(key).epoch, queue="control")
    wait_for(lambda: line.state(key) == "DELIVERED", what="the schedule's job")
    for arguments in (["learned-1"], ["--schedule", "learned"]):
        guard = json.loads(actorline(line, "guard", "suggest", *arguments).out)
        assert (guard["unique"], guard["types"]["price"], guard["min_items"]) == (["url"], "number", 150)
        guarded = {**order(actor, "learned"), "guard": guard}
        assert line.submit(guarded).get(timeout=120)["state"] == "DELIVERED"


@pytest.mark.thorough
def test_rows_are_delivered_without_the_base_of_their_comparison(line, actor):
    first = line.submit(order(actor, "lost", delta={"key": KEY})).get(timeout=120)
    shutil.rmtree(first["sink"].removeprefix("file://"))
    later = line.submit(order(actor, "lost", delta={"key": KEY})).get(timeout=120)
    assert (later["state"], later["items"], later["reason"]) == ("DELIVERED", 300, None)
    assert (later["changes"]["base"], later["changes"]["added"]) == (first["key"], None)
    assert "There is no delivery at" in later["changes"]["error"]
    assert list(verify(open_delivery(later["manifest"]), lambda _: None)) == []
    # the next one has the delivery that is there for its base
    again = line.submit(order(actor, "lost", delta={"key": KEY})).get(timeout=120)
    assert (again["changes"]["base"], again["changes"]["unchanged"]) == (later["key"], 300)


@pytest.mark.thorough
def test_an_expired_base_is_refused_before_a_run_is_started(line):
    actor = line.emulator.actor("expired-base", items=5, duration_secs=0)
    first = line.submit(order(actor, "expired")).get(timeout=120)
    shutil.rmtree(first["sink"].removeprefix("file://"))
    for base, why in ((first["key"], "has expired or can't be read"), ("nobody", "no job has the key nobody")):
        with pytest.raises(Exception, match="document-invalid") as raised:
            line.submit(order(actor, "expired", delta={"key": KEY, "base": base})).get(timeout=120)
        reason = reason_of(raised.value)
        assert why in reason["message"]
        assert (reason["code"], reason["billed"]) == ("document-invalid", False)
    assert len(line.emulator.starts(actor)) == 1


@pytest.mark.thorough
def test_members_of_a_batch_are_compared_with_their_forerunners(line, actor):
    inputs = [{"emulate": {"items": count}} for count in (20, 30)]
    template = {"actor": actor, "collect": {"records": []}, "poll_interval_secs": 1}
    first = line.send("actorline.batch", batch("first", template, inputs)).get(timeout=120)
    members = [f"{first['key']}.{number:06}" for number in range(2)]
    wait_for(lambda: {line.ledger.load_input(key) for key in members} == {b"{}"}, what="the inputs to be dropped")
    for base, counts in (("last", (0, 0, 0)), (first["key"], (0, 0, 0))):
        key = f"then-{base}"
        later = batch(key, {**template, "delta": {"key": KEY, "base": base}}, inputs)
        line.send("actorline.batch", later).get(timeout=120)
        found = [line.ledger.load(f"{key}.{number:06}").changes for number in range(2)]
        assert [(each.added, each.removed, each.changed) for each in found] == [counts] * 2
        assert [each.unchanged for each in found] == [20, 30]
    refused = actorline(line, "guard", "suggest", first["key"])
    assert f"name its members, such as {first['key']}.000000" in refused.err


def batch(key: str, template: dict[str, Any], inputs: list[Any]) -> dict[str, Any]:
    return {"key": key, "template": template, "inputs": inputs, "labels": {"site": "batches"}}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "moment",
    [
        "actorline.stages.collect.comparison:Comparison._decide 1 after",
        "actorline.delivery.changes.find_changes:ChangesFinder._store 2 after",
        "actorline.stages.collect.deliver:end_job 1 before",
    ],
)
def test_a_worker_killed_while_it_compares_leaves_the_same_files(own_line, tmp_path, moment):
    line = own_line("killed")
    actor = line.emulator.actor(
        f"killed-{moment.split()[0].rpartition('.')[2].replace(':', '-')}",
        items=300,
        item_kind="plain",
        duration_secs=0,
    )
    line.environment["TMPDIR"] = str(tmp_path / "work")
    (tmp_path / "work").mkdir()
    with running_workers(line, "control", "fetch"):
        first = line.submit(order(actor, moment)).get(timeout=120)
    delta = {"key": KEY, "base": first["key"]}
    later = line.submit(order(actor, moment, items=310, collect={"offset": 10}, delta=delta))
    with dying_worker(line, moment) as worker:
        wait_for(lambda: worker.poll() is not None, within=120, what="the worker's death")
    with running_workers(line, "control", "fetch"):
        result = later.get(timeout=120)
    assert result["changes"] | {"base": first["key"], "added": 10, "removed": 10, "unchanged": 290} == result["changes"]
    rows = [delivery_of(each).lines.splitlines() for each in (first, result)]
    assert changes_in(result) == naive_changes(*rows, KEY)
    assert list(verify(open_delivery(result["manifest"]), lambda _: None)) == []
    assert len(line.emulator.starts(actor)) == 2
    assert list((tmp_path / "work").iterdir()) == []


@contextmanager
def dying_worker(line: Line, moment: str) -> Iterator["subprocess.Popen[bytes]"]:
    dying = replace(line, environment={**line.environment, "CHAOS_DIE": moment})
    worker = start_worker("all", dying, [str(ROOT / "tests" / "chaos" / "faulty_worker.py")])
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait(60)
