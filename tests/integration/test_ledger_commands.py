"""What `actorline ledger` measures, takes along and removes."""

import json
from pathlib import Path

import pytest
from real_parts import wait_for
from terminal import actorline

QUICK = {"poll_interval_secs": 1}


@pytest.fixture
def delivered(line):
    """Two jobs that are delivered, the second as one of a batch."""
    actor = line.emulator.actor("archived", items=40, duration_secs=0.2)
    if line.state("archived") is None:
        batch = {"key": "archived-batch", "template": {"actor": actor, **QUICK}, "inputs": [{"n": 1}]}
        waiting = line.send("actorline.batch", batch)
        assert line.submit({"key": "archived", "actor": actor, **QUICK}).get(timeout=120)["items"] == 40
        assert waiting.get(timeout=120)["state"] == "DELIVERED"
        wait_for(lambda: not line.ledger.callers.of("archived-batch"), what="the answered caller")
    return line


@pytest.mark.thorough  # ten commands
def test_export_is_read_by_an_empty_installation(delivered, own_line, tmp_path):
    exported = actorline(delivered, "ledger", "export")
    assert exported.code == 0, exported.err
    file = tmp_path / "ledger.jsonl"
    file.write_text(exported.out, encoding="utf-8-sig")  # as an editor may have stored it
    new = own_line("imported")

    first, again = (json.loads(actorline(new, "ledger", "import", str(file), "--json").out) for _ in range(2))

    assert (first["present"], first["refused"], again["added"]) == (0, 0, 0)
    assert again["present"] == first["added"] == len(exported.out.splitlines()) - 1
    here, there = (json.loads(actorline(each, "show", "archived", "--json").out) for each in (new, delivered))
    assert here == there
    assert actorline(new, "items", "archived").out.count("\n") == 40
    assert actorline(new, "items", "archived-batch").out.count("\n") == 40
    listed = [json.loads(each)["key"] for each in actorline(new, "jobs", "--json").out.splitlines()]
    assert {"archived", "archived-batch.000000"} <= set(listed)
    refused = actorline(new, "run", "--key", "archived", "--no-wait", "demo/other")
    assert refused.code == 5, refused.err  # its key is taken: nothing is paid for again


@pytest.mark.thorough
def test_import_into_another_installations_ledger_is_refused(delivered, own_line, tmp_path):
    file = tmp_path / "ledger.jsonl"
    file.write_text(actorline(delivered, "ledger", "export").out)
    other = own_line("another")
    other.ledger.installation("another")
    refused = actorline(other, "ledger", "import", str(file))
    assert (refused.code, "Nothing was imported" in refused.err) == (5, True)
    assert other.state("archived") is None


@pytest.mark.thorough
@pytest.mark.parametrize("line_text", ["{}", "[1]", "no json", '{"job": {"key": "x", "state": "RUNNING"}}'])
def test_line_that_is_no_ended_job_is_named_and_left_out(own_line, tmp_path, line_text):
    file = tmp_path / "ledger.jsonl"
    file.write_text(f'{{"actorline_ledger":1,"installation":"al-0001","exported_at":1}}\n{line_text}\n')
    done = actorline(own_line("damaged"), "ledger", "import", str(file))
    assert (done.code, f"{file}:2: is no" in done.err) == (5, True), done.err


@pytest.mark.thorough
def test_purge_removes_what_ended_before_and_keeps_the_rows(delivered):
    far = [("job", "archived"), ("job", "archived-batch.000000"), ("batch", "archived-batch")]
    for kind, key in far:  # as if they had ended two days ago
        name = delivered.ledger.name(kind, key)
        for field in ("queued_at", "ended_at"):
            delivered.ledger.redis.hincrbyfloat(name, field, -2 * 86_400)
        for index in ("batches",) if kind == "batch" else ("state:DELIVERED",):
            delivered.ledger.redis.zincrby(delivered.ledger.name(index), -2 * 86_400, key)
    manifest = delivered.ledger.load("archived").manifest

    assert actorline(delivered, "ledger", "purge", "--older-than", "1m", "--yes").code == 5
    asked = actorline(delivered, "ledger", "purge", "--older-than", "1d")
    assert (asked.code, "2 jobs and 1 batches" in asked.err) == (5, True), asked.err
    assert delivered.state("archived") == "DELIVERED"

    done = json.loads(actorline(delivered, "ledger", "purge", "--older-than", "1d", "--yes", "--json").out)

    assert done == {"jobs": 2, "batches": 1, "removed": True}
    assert delivered.state("archived") is None
    assert Path(manifest.removeprefix("file://")).read_text()


@pytest.mark.thorough
def test_stats_say_how_much_a_job_takes(delivered):
    actor = delivered.emulator.actor("measured", items=4, duration_secs=0.2)
    delivered.submit({"key": "measured", "actor": actor, **QUICK}).get(timeout=120)
    found = json.loads(actorline(delivered, "ledger", "stats", "--json").out)
    assert found["jobs"]["DELIVERED"] >= 1
    assert 1_000 < found["job_bytes"] < 20_000
    assert found["used_bytes"] > 0
