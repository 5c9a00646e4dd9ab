"""`actorline batch` and `run --inputs`, from a file of inputs to rows, and what the other commands say of a batch."""

import json

import pytest
from real_parts import wait_for

INPUTS = [{"page": page} for page in range(4)]


@pytest.fixture(scope="module")
def delivered(shared_terminal):
    """A batch of four inputs that `run --inputs` has delivered."""
    actor = shared_terminal.emulator.actor(
        "cli-batch", items=3, duration_secs=0, records={"OUTPUT": {"body": {"a": 1}}}
    )
    (shared_terminal.cwd / "pages.jsonl").write_text("".join(json.dumps(each) + "\n" for each in INPUTS))
    return shared_terminal("run", actor, "--inputs", "pages.jsonl", "--max-running", "2", "--key", "pages", "--json")


def test_run_with_inputs_is_one_batch(shared_terminal, delivered):
    assert (delivered.code, delivered.json["state"], delivered.json["members"]) == (0, "DELIVERED", {"DELIVERED": 4})
    assert (shared_terminal.cwd / "rows" / "pages" / "_SUCCESS").exists()
    assert len(shared_terminal.emulator.starts("demo/cli-batch")) == 4


@pytest.mark.thorough
def test_items_of_a_batch_come_in_the_order_of_its_inputs(shared_terminal, delivered):
    rows = shared_terminal("items", "pages").out
    each = [shared_terminal("items", f"pages.00000{number}").out for number in range(4)]
    assert rows == "".join(each)
    assert len(rows.splitlines()) == 12


@pytest.mark.thorough
def test_records_of_a_batch_are_named_by_member(shared_terminal, delivered):
    listed = [entry["key"] for entry in shared_terminal("records", "pages", "--json").lines]
    assert listed == [f"00000{number}/OUTPUT" for number in range(4)]
    assert json.loads(shared_terminal("records", "pages", "000002/OUTPUT").out) == {"a": 1}


def test_verify_of_a_batch_finds_what_is_damaged(shared_terminal, delivered):
    whole = shared_terminal("verify", "pages", "--json")
    assert (whole.code, whole.json["verdict"], whole.json["totals"]["delivered"]) == (0, "whole", 4)
    folder = shared_terminal.cwd / "rows" / "pages"
    inputs = folder / "_inputs" / "inputs.jsonl"
    before = inputs.read_text()
    inputs.write_text(before.replace('"page":2', '"page":7'))
    (part,) = (folder / "000001").glob("part-*")
    part.rename(part.with_name("elsewhere"))
    damaged = shared_terminal("verify", str(folder), "--json")
    assert damaged.code == 1
    assert [problem["file"] for problem in damaged.lines[:-1]] == [f"000001/{part.name}", "_inputs/inputs.jsonl"]
    inputs.write_text(before)
    part.with_name("elsewhere").rename(part)


@pytest.mark.thorough
def test_show_and_jobs_tell_of_a_batch(shared_terminal, delivered):
    shown = shared_terminal("show", "pages", "--json").json
    assert (shown["kind"], shown["inputs"]) == ("batch", 4)
    assert [entry["event"] for entry in shown["timeline"]] == ["queued", "inputs-stored", "ended"]
    watched = shared_terminal("watch", "pages", "--json")
    assert (watched.code, watched.json["state"]) == (0, "DELIVERED")
    listed = shared_terminal("jobs", "--label", "batch=pages", "--json").lines
    assert [job["key"] for job in listed] == [f"pages.00000{number}" for number in (3, 2, 1, 0)]


@pytest.mark.thorough
def test_split_orders_a_run_for_each_part(shared_terminal, delivered):
    actor = shared_terminal.emulator.actor("cli-split", items=1, duration_secs=0)
    given = '{"startUrls": ["a", "b", "c"]}'
    done = shared_terminal("run", actor, "-i", given, "--split", "startUrls:2", "--json")
    assert (done.code, done.json["members"]) == (0, {"DELIVERED": 2})


@pytest.mark.thorough
def test_batch_document_is_checked_by_a_dry_run(shared_terminal, delivered):
    document = {"template": {"actor": "demo/x"}, "inputs": INPUTS}
    (shared_terminal.cwd / "batch.json").write_text(json.dumps(document))
    dry = shared_terminal("batch", "batch.json", "--dry-run")
    shown = json.loads(dry.out)
    assert (dry.code, shown["template"], "inputs" in shown) == (0, {"actor": "demo/x"}, False)
    assert "Nothing was started.\nIt would start 4 runs.\nWhat it costs is unknown" in dry.err
    (shared_terminal.cwd / "batch.json").write_text(json.dumps({**document, "inputs": []}))
    refused = shared_terminal("batch", "batch.json")
    assert (refused.code, "there are no inputs" in refused.err) == (5, True)
    assert shared_terminal("run", "demo/x", "--inputs", "missing.jsonl").code == 5


@pytest.mark.thorough
def test_failed_batch_is_retried_by_its_key(shared_terminal, delivered):
    emulator = shared_terminal.emulator
    actor = emulator.actor("cli-batch-bad", items=0, duration_secs=0, final_status="FAILED")
    (shared_terminal.cwd / "bad.json").write_text(
        json.dumps({"key": "bad", "template": {"actor": actor}, "inputs": INPUTS[:2]})
    )
    assert shared_terminal("batch", "bad.json").code == 1
    emulator.actor("cli-batch-bad", items=1, duration_secs=0)
    planned = shared_terminal("retry", "bad", "--dry-run", "--json").json
    assert (planned["pays"], planned["plan"].startswith("2 of its inputs")) == (True, True)
    done = shared_terminal("retry", "bad", "--json")
    assert (done.code, done.lines[-1]["state"]) == (0, "DELIVERED")


@pytest.mark.thorough
def test_cancel_of_all_stops_batches_with_their_members(shared_terminal, delivered):
    emulator = shared_terminal.emulator
    actor = emulator.actor("cli-batch-long", items=1, duration_secs=600)
    running = shared_terminal.start("run", actor, "--inputs", "pages.jsonl", "--max-running", "1", "--json")
    wait_for(lambda: emulator.runs_of(actor), what="the first member's run")
    assert shared_terminal("cancel", "--all").code == 0
    assert running.end().json["state"] == "CANCELLED"
    assert len(emulator.starts(actor)) == 1
