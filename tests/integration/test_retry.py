"""`retry`: an ended job once more, from the cheapest point."""

import json

import pytest
from real_parts import delivery_of, wait_for

QUICK = {"poll_interval_secs": 1}
FAILING = {"items": 300, "duration_secs": 0.3, "final_status": "FAILED"}


def run_to_its_end(line, key, actor, **more):
    order = line.submit({"key": key, "actor": actor, **QUICK, **more})
    order.get(timeout=120, propagate=False)
    return line.ledger.load(key)


def delivered(line, key):
    job = wait_for(lambda: (job := line.ledger.load(key)) and job.state == "DELIVERED" and job, what="the delivery")
    folder = job.sink_url
    return job, delivery_of({"sink": folder})


def test_retry_of_a_failed_run_delivers_only_the_new_runs_rows(line):
    actor = line.emulator.actor("tried-again", **FAILING)
    assert run_to_its_end(line, "tried-again", actor).state == "PARTIAL"
    line.emulator.actor("tried-again", items=450, duration_secs=0.3, seed=3)
    answer = line.send("actorline.retry", "tried-again").get(timeout=120)
    assert (answer["key"], answer["attempt"], answer["reason"]) == ("tried-again", 2, None)
    job, delivery = delivered(line, "tried-again")
    assert delivery.sha256 == line.emulator.expected(job.run.dataset_id)["sha256"]
    assert (delivery.manifest["complete"], delivery.manifest["attempt"]) == (True, 2)
    assert (job.collection.items, len(line.emulator.starts(actor))) == (450, 2)


def test_retry_of_missing_records_fetches_only_these(line, faults):
    record = {"OUTPUT": {"content_type": "text/plain", "body": "the report"}}
    actor = line.emulator.actor("record-later", items=300, duration_secs=0.3, records=record)
    faults({"action": "status", "status": 403, "type": "insufficient-permissions", "path_regex": "/records/OUTPUT$"})
    job = run_to_its_end(line, "record-later", actor)
    assert (job.state, job.reason.code) == ("PARTIAL", "record-unreadable")
    line.emulator.end_faults()
    fetched = len(line.emulator.requests("GET", f"/v2/datasets/{job.run.dataset_id}/items"))
    line.send("actorline.retry", "record-later").get(timeout=120)
    job, delivery = delivered(line, "record-later")
    assert (delivery.folder / "records" / "OUTPUT").read_text() == "the report"
    assert delivery.manifest["complete"]
    assert "_SUCCESS" in delivery.files
    assert (job.attempt, len(line.emulator.starts(actor))) == (1, 1)
    # but for the empty end, no page is asked for a second time
    again = line.emulator.requests("GET", f"/v2/datasets/{job.run.dataset_id}/items")[fetched:]
    assert again
    assert all(int(request["query"]["offset"]) >= 300 for request in again)


def test_retry_collects_a_run_that_others_resurrected(line):
    again = {"items": 500, "duration_secs": 0.3, "final_status": "SUCCEEDED"}
    actor = line.emulator.actor("revived-by-others", **FAILING, resurrected=again)
    run = line.emulator.post(f"/v2/actors/{actor.replace('/', '~')}/runs")["data"]
    line.submit({"key": "theirs", "run_id": run["id"], **QUICK}).get(timeout=120, propagate=False)
    assert line.state("theirs") == "PARTIAL"
    line.emulator.post(f"/v2/actor-runs/{run['id']}/resurrect")
    line.send("actorline.retry", "theirs").get(timeout=120)
    job, delivery = delivered(line, "theirs")
    assert delivery.sha256 == line.emulator.expected(job.run.dataset_id)["sha256"]
    assert (job.run.id, job.collection.items, len(line.emulator.runs_of(actor))) == (run["id"], 500, 1)


def test_retried_order_of_a_run_can_be_cancelled(line):
    actor = line.emulator.actor("revived-for-long", **FAILING, resurrected={"items": 10, "duration_secs": 600})
    run = line.emulator.post(f"/v2/actors/{actor.replace('/', '~')}/runs")["data"]
    line.submit({"key": "for-long", "run_id": run["id"], "own": True, **QUICK}).get(timeout=120, propagate=False)
    line.emulator.post(f"/v2/actor-runs/{run['id']}/resurrect")
    line.send("actorline.retry", "for-long").get(timeout=120)
    wait_for(lambda: line.state("for-long") == "RUNNING", what="the look at the run")
    line.cancel("for-long").get(timeout=120)
    wait_for(lambda: line.state("for-long") == "CANCELLED", what="the cancel")
    assert line.emulator.run(run["id"])["status"] == "ABORTED"


def test_caller_who_orders_again_after_a_retry_gets_the_new_end(line):
    actor = line.emulator.actor("asked-again", **FAILING)
    document = {"key": "asked-again", "actor": actor, **QUICK}
    first = line.submit(document)
    assert first.get(timeout=120)["state"] == "PARTIAL"
    line.emulator.actor("asked-again", items=10, duration_secs=1)
    line.send("actorline.retry", "asked-again").get(timeout=120)
    assert line.submit(document).get(timeout=120)["state"] == "DELIVERED"
    assert first.get(timeout=120)["state"] == "PARTIAL"


@pytest.mark.parametrize(("key", "code"), [("nobody-knows", "unknown-key"), ("done-already", "conflict")])
def test_retry_of_unknown_or_delivered_changes_nothing(line, key, code):
    actor = line.emulator.actor("done-already", items=10, duration_secs=0)
    run_to_its_end(line, "done-already", actor)
    with pytest.raises(Exception) as raised:  # noqa: PT011
        line.send("actorline.retry", key).get(timeout=120)
    assert type(raised.value).__name__ == "JobRefused"
    assert json.loads(raised.value.args[0])["reason"]["code"] == code
    assert line.state("done-already") == "DELIVERED"
    assert len(line.emulator.starts(actor)) == 1


@pytest.mark.thorough
def test_retry_in_the_terminal_waits_for_the_end_and_shows_it(shared_terminal, emulator):
    actor = emulator.actor("retried-by-hand", items=0, duration_secs=0.3, final_status="FAILED")
    assert shared_terminal("run", actor, "--key", "by-hand").code == 1
    emulator.actor("retried-by-hand", items=20, duration_secs=0.3)
    planned = shared_terminal("retry", "by-hand", "--dry-run", "--json")
    assert (planned.code, planned.json["pays"], len(emulator.starts(actor))) == (0, True, 1)
    done = shared_terminal("retry", "by-hand", "--json")
    assert "another run is started and billed" in done.err
    assert (done.code, done.json["state"], done.json["attempt"]) == (0, "DELIVERED", 2)
    assert shared_terminal("retry", "by-hand").code == 5
