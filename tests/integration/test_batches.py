"""Batches: many inputs as one order, each of which is one paid run, and one answer at the end."""

import json
from typing import Any

import pytest
from callers import refusal
from celery import chord
from real_parts import delivery_of, reason_of, running_workers, start_worker, wait_for

from actorline.batches.batch import Batch, BatchResult, load_batch
from actorline.batches.delivery import open_batch
from actorline.batches.verify import verify_batch


def order(line, document: dict[str, Any]) -> Any:
    return line.client.send_task("actorline.batch", [document], queue=line.namespace)


def inputs(number: int) -> list[dict[str, Any]]:
    return [{"page": page} for page in range(number)]


def found(line, key: str) -> Batch:
    """The batch in the ledger; one that isn't there yet counts as one in which nothing has happened."""
    wait_for(lambda: line.ledger.batches.exists(key), what=f"the batch {key}")
    return load_batch(line.ledger, key)


def batch(line, key: str) -> dict[str, Any]:
    return line.send("actorline.status", key).get(timeout=60)


def test_each_input_is_one_run_and_the_caller_is_answered_once(line):
    actor = line.emulator.actor("batch-of-five", items=7, duration_secs=0)
    document = {"key": "five", "template": {"actor": actor}, "inputs": inputs(5), "max_running": 2}
    result = order(line, document).get(timeout=120)
    assert (result["kind"], result["state"], result["inputs"], result["items"]) == ("batch", "DELIVERED", 5, 35)
    assert result["members"] == {"DELIVERED": 5}
    assert len(line.emulator.starts(actor)) == 5
    delivery = delivery_of(result)
    members = delivery.manifest["members"]
    assert [(member["number"], member["state"], member["items"]) for member in members] == [
        (number, "DELIVERED", 7) for number in range(5)
    ]
    assert delivery.manifest["complete"]
    assert (delivery.folder / "_SUCCESS").exists()
    stored = (delivery.folder / "_inputs" / "inputs.jsonl").read_text().splitlines()
    assert [json.loads(text) for text in stored] == inputs(5)
    assert order(line, document).get(timeout=60) == result
    assert len(line.emulator.starts(actor)) == 5
    member = line.ledger.load("five.000003")
    assert (member.state, member.document.labels) == ("DELIVERED", {"batch": "five"})
    store = member.run.key_value_store_id
    assert json.loads(line.emulator.read(f"/v2/key-value-stores/{store}/records/INPUT")) == {"page": 3}


def test_chord_of_batches_runs_its_body_with_their_results(line, service):
    actor = line.emulator.actor("batch-in-chord", items=2, duration_secs=0)
    documents = [
        {"template": {"actor": actor}, "inputs": inputs(2)},
        {"template": {"actor": actor}, "inputs": inputs(1)},
    ]
    orders = [line.client.signature("actorline.batch", args=[each], queue=line.namespace) for each in documents]
    assert chord(orders)(line.client.signature("service.total")).get(timeout=120) == 6


def test_retry_runs_only_the_inputs_that_are_not_delivered(line):
    actor = line.emulator.actor("batch-half-bad", items=0, duration_secs=0, final_status="FAILED")
    document = {"key": "half-bad", "template": {"actor": actor}, "inputs": inputs(4), "max_running": 4}
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order(line, document).get(timeout=120)
    assert type(raised.value).__name__ == "JobFailed"
    assert reason_of(raised.value)["code"] == "members-failed"
    line.emulator.actor("batch-half-bad", items=3, duration_secs=0)
    assert line.send("actorline.retry", "half-bad.000002").get(timeout=60)["state"] != "FAILED"
    wait_for(lambda: line.state("half-bad.000002") == "DELIVERED")
    line.send("actorline.retry", "half-bad").get(timeout=60)
    result = wait_for(lambda: (found := batch(line, "half-bad"))["state"] == "DELIVERED" and found)
    assert (result["members"], result["items"]) == ({"DELIVERED": 4}, 12)
    assert len(line.emulator.starts(actor)) == 8
    assert delivery_of(result).manifest["complete"]


@pytest.mark.thorough
def test_a_batch_says_why_its_first_partial_member_is_partial(line):
    actor = line.emulator.actor("batch-partial", items=3, duration_secs=0, final_status="FAILED")
    document = {"key": "all-partial", "template": {"actor": actor}, "inputs": inputs(2)}
    result = order(line, document).get(timeout=120)
    assert result["reason"]["message"].startswith(
        "0 of 2 inputs were delivered; 2 are PARTIAL. all-partial.000000 is partial: The run ended FAILED"
    )


def test_broken_actor_ends_the_batch_before_all_is_paid(line):
    actor = line.emulator.actor("batch-broken", items=0, duration_secs=0, final_status="FAILED")
    document = {"template": {"actor": actor}, "inputs": inputs(50), "max_running": 2, "stop_after_failures": 3}
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order(line, document).get(timeout=120)
    assert reason_of(raised.value)["code"] == "too-many-failures"
    assert 3 <= len(line.emulator.starts(actor)) <= 5


def test_retry_of_a_batch_that_failed_too_often_runs_the_rest(line):
    actor = line.emulator.actor("batch-mended", items=0, duration_secs=0, final_status="FAILED")
    document = {
        "key": "mended", "template": {"actor": actor}, "inputs": inputs(8), "max_running": 2, "stop_after_failures": 3
    }  # fmt: skip
    order(line, document).get(timeout=120, propagate=False)
    first = len(line.emulator.starts(actor))
    line.send("actorline.retry", "mended").get(timeout=60)  # the Actor isn't mended yet: three failures end it again
    wait_for(lambda: (again := found(line, "mended")).is_terminal and again.retries == 1)
    assert batch(line, "mended")["reason"]["code"] == "too-many-failures"
    assert 3 <= len(line.emulator.starts(actor)) - first <= 5
    line.emulator.actor("batch-mended", items=3, duration_secs=0)
    line.send("actorline.retry", "mended").get(timeout=60)
    result = wait_for(lambda: (found := batch(line, "mended"))["state"] == "DELIVERED" and found)
    assert (result["members"], result["items"]) == ({"DELIVERED": 8}, 24)


def test_cancelled_batch_stops_what_runs_and_starts_no_more(line):
    actor = line.emulator.actor("batch-cancelled", items=10, duration_secs=600)
    document = {"key": "unwanted", "template": {"actor": actor}, "inputs": inputs(30), "max_running": 3}
    pending = order(line, document)
    wait_for(lambda: len(line.emulator.runs_of(actor)) == 3)
    line.cancel("unwanted").get(timeout=60)
    with pytest.raises(Exception) as raised:  # noqa: PT011
        pending.get(timeout=120)
    assert type(raised.value).__name__ == "JobCancelled"
    assert {run["status"] for run in line.emulator.runs_of(actor)} == {"ABORTED"}
    assert len(line.emulator.starts(actor)) == 3


def test_revoking_a_callers_task_cancels_its_batch(line):
    actor = line.emulator.actor("batch-revoked", items=10, duration_secs=600)
    pending = order(line, {"key": "revoked-batch", "template": {"actor": actor}, "inputs": inputs(2)})
    wait_for(lambda: len(line.emulator.runs_of(actor)) == 2)
    line.client.control.revoke(pending.id)
    wait_for(lambda: batch(line, "revoked-batch")["state"] == "CANCELLED")


@pytest.mark.thorough
def test_deadline_of_a_batch_stops_its_members(line):
    actor = line.emulator.actor("batch-late", items=10, duration_secs=600)
    document = {"template": {"actor": actor}, "inputs": inputs(4), "max_running": 2, "deadline_secs": 2}
    with pytest.raises(Exception) as raised:  # noqa: PT011
        order(line, document).get(timeout=120)
    assert type(raised.value).__name__ == "JobExpired"
    assert {run["status"] for run in line.emulator.runs_of(actor)} <= {"ABORTED", "TIMED-OUT"}  # on a busy machine


def test_split_cuts_one_list_into_members(line):
    actor = line.emulator.actor("batch-split", items=1, duration_secs=0)
    split = {"input": {"startUrls": list("abcde"), "depth": 1}, "field": "startUrls", "size": 2}
    result = order(line, {"template": {"actor": actor}, "split": split}).get(timeout=120)
    stored = (delivery_of(result).folder / "_inputs" / "inputs.jsonl").read_text().splitlines()
    assert [json.loads(text)["startUrls"] for text in stored] == [["a", "b"], ["c", "d"], ["e"]]
    assert len(line.emulator.starts(actor)) == 3


def test_doubled_messages_make_no_second_member(line):
    actor = line.emulator.actor("batch-doubled", items=1, duration_secs=0)
    pending = order(
        line, {"key": "doubled-batch", "template": {"actor": actor}, "inputs": inputs(12), "max_running": 6}
    )
    for _ in range(20):
        line.send("actorline.advance_batch", "doubled-batch", queue="control")
        line.send("actorline.store_batch", "doubled-batch", queue="fetch")
    assert pending.get(timeout=120)["members"] == {"DELIVERED": 12}
    assert len(line.emulator.starts(actor)) == 12


def test_keys_of_members_and_of_jobs_exclude_each_other(line):
    actor = line.emulator.actor("batch-keys", items=1, duration_secs=0)
    job = {"actor": actor, "poll_interval_secs": 1}
    document = {"template": {"actor": actor}, "inputs": inputs(3)}
    line.submit({**job, "key": "taken.000001"}).get(timeout=120)
    assert "the key taken.000001 is already used" in refusal(order(line, {**document, "key": "taken"}))["message"]
    order(line, {**document, "key": "owner"}).get(timeout=120)
    for key in ("owner", "owner.000001", "owner.000777"):
        assert refusal(line.submit({**job, "key": key}))["code"] == "conflict"
    assert refusal(order(line, {**document, "key": "owner.000001"}))["code"] == "conflict"
    assert refusal(order(line, {**document, "key": "owner", "max_running": 7}))["code"] == "conflict"
    assert len(line.emulator.starts(actor)) == 4


def test_source_of_a_service_must_be_in_its_roots(line, tmp_path):
    (tmp_path / "inputs.jsonl").write_text('{"page": 1}\n')
    document = {"template": {"actor": "demo/any"}, "inputs_url": f"file://{tmp_path}/inputs.jsonl"}
    assert "outside the roots" in refusal(order(line, document))["message"]


BAD_SOURCES = {
    "empty": ("\n\n", "has no inputs"),
    "not-an-object": ('{"page": 1}\n[2]\n', "line 2 of inputs_url must be an object, not a list"),
    "cut-off": ('{"page": 1}\n{"pag', "line 2 of inputs_url is not JSON; it is the last one"),
    "no-json": ("page 1\n", "line 1 of inputs_url is not JSON"),
}


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_bad_source_ends_the_batch_before_anything_is_paid(line, name):
    actor = line.emulator.actor("batch-never-started", items=1)
    text, said = BAD_SOURCES[name]
    folder = line.home / "rows" / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jsonl").write_text(text)
    document = {"template": {"actor": actor}, "inputs_url": f"file://{folder}/{name}.jsonl"}
    reason = refusal(order(line, document))
    assert said in reason["message"]
    assert reason["billed"] is False
    assert line.emulator.starts(actor) == []


def test_inputs_are_read_from_a_file(line):
    actor = line.emulator.actor("batch-from-file", items=1, duration_secs=0)
    folder = line.home / "rows" / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "good.jsonl").write_text('{"page": 1}\n\n{"page": "ü", "n": 123456789012345678901234567890}')
    document = {"template": {"actor": actor}, "inputs_url": f"file://{folder}/good.jsonl"}
    result = order(line, document).get(timeout=120)
    assert (result["inputs"], result["state"]) == (2, "DELIVERED")
    stored = (delivery_of(result).folder / "_inputs" / "inputs.jsonl").read_text().splitlines()
    assert [json.loads(each) for each in stored] == [{"page": 1}, {"page": "ü", "n": 123456789012345678901234567890}]


@pytest.mark.thorough
def test_killed_workers_cost_no_second_run_and_no_row(own_line):
    line = own_line("batch-killed")
    actor = line.emulator.actor("batch-killed", items=5, duration_secs=1)
    with running_workers(line, "control", "fetch") as workers:
        document = {"key": "killed", "template": {"actor": actor}, "inputs": inputs(24), "max_running": 6}
        pending = order(line, document)
        for delivered in (3, 10, 17):
            wait_for(lambda least=delivered: found(line, "killed").delivered >= least, what=f"{delivered} members")
            for worker in workers[-2:]:
                worker.kill()
            for worker in workers[-2:]:
                worker.wait()
            workers += [start_worker(kind, line) for kind in ("control", "fetch")]
        result = pending.get(timeout=240)
    assert (result["state"], result["members"], result["items"]) == ("DELIVERED", {"DELIVERED": 24}, 120)
    assert len(line.emulator.starts(actor)) == 24
    folder = delivery_of(result).folder
    delivery = open_batch(BatchResult.model_validate(result))
    assert list(verify_batch(delivery, lambda _: None)) == []
    expected = [line.ledger.load(f"killed.{number:06d}").run.dataset_id for number in range(24)]
    rows = b"".join(text + b"\n" for text in delivery.lines())
    assert rows == b"".join(line.emulator.item_lines(dataset_id) for dataset_id in expected)
    assert (folder / "_SUCCESS").exists()


@pytest.mark.thorough
def test_members_wait_for_room_in_their_batch_s_budget(line):
    actor = line.emulator.actor("batch-budget", items=1, duration_secs=600, usage_usd=0.1)
    template = {"actor": actor, "options": {"max_total_charge_usd": 0.4}}
    document = {"key": "thrifty", "template": template, "inputs": inputs(3), "budget_usd": 0.9}
    pending = order(line, document)
    waiting = wait_for(
        lambda: [
            key for n in range(3) if (job := line.ledger.load(key := f"thrifty.{n:06}")) and job.waiting_for == "budget"
        ],
        what="a member that waits for the budget",
    )
    wait_for(lambda: len(line.emulator.runs_of(actor)) == 2, what="the others' runs")
    assert len(waiting) == 1
    line.emulator.actor("batch-budget", items=1, duration_secs=0, usage_usd=0.1)
    line.emulator.finish_runs_of(actor)
    result = pending.get(timeout=120)  # the others cost less than they reserved
    assert (result["state"], len(line.emulator.runs_of(actor))) == ("DELIVERED", 3)
    dear = order(line, {**document, "key": "too-dear", "budget_usd": 0.3})
    assert refusal(dear)["code"] == "budget"
