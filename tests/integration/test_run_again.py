"""A run that is running again after its end was seen: others resurrected it while its rows were collected, or later."""

from types import SimpleNamespace

import pytest
from real_parts import delivery_of, reason_of, wait_for

from actorline.jobs.document.parse import parse_document
from actorline.jobs.states import State
from actorline.ledger.change import Change
from actorline.ledger.registration import NewJob
from actorline.upkeep.settle import settle_figures

SHORT = {"items": 40, "duration_secs": 0.5, "usage_usd": 0.02}


@pytest.fixture
def revived(line, faults):
    """Order a run that is resurrected as its first rows are asked for; return the caller and the run's id."""

    def order(key, again, **document):
        actor = line.emulator.actor(key, **SHORT, resurrected=again)
        faults({"method": "GET", "path_regex": "/items$", "action": "delay", "secs": 25, "nth": 1})
        caller = line.submit({"key": key, "actor": actor, "poll_interval_secs": 1, **document})
        wait_for(lambda: "fetching" in line.events(key), what="the first page")
        (run,) = line.emulator.runs_of(actor)
        line.emulator.post(f"/v2/actor-runs/{run['id']}/resurrect")
        line.emulator.end_faults()
        return caller, run["id"]

    return order


@pytest.mark.parametrize("secs", [0, 8])
@pytest.mark.parametrize(
    "collect",
    [{}, {"page_items": 40}, {"page_items": 30}, {"desc": True, "page_items": 30}, {"format": "xml"}],
    ids=str,
)
def test_rows_of_a_run_resurrected_meanwhile_come_once(line, revived, collect, secs):
    key = f"revived-{secs}-{'-'.join(map(str, [*collect, *collect.values()]))}"
    again = {"items": 100, "duration_secs": secs}
    caller, run_id = revived(key, again, collect={"records": [], "while_running": False, **collect})
    result = caller.get(timeout=120)
    job, delivery = line.ledger.load(key), delivery_of(result)
    assert (result["state"], result["items"], result["run_id"]) == ("DELIVERED", 100, run_id)
    assert "run-again" in line.events(key)
    assert delivery.manifest["complete"]
    assert delivery.manifest["run"]["finished_at"] == job.run.finished_at
    if collect.get("format") == "xml":
        assert delivery.lines.count(b"<item>") == 100
    else:
        assert delivery.lines == line.emulator.item_lines(result["dataset_id"], "desc=1" if "desc" in collect else "")
    assert sum(part["items"] for part in delivery.manifest["parts"]) == 100


def test_cancel_aborts_a_run_that_is_running_again(line, revived):
    caller, run_id = revived("revived-cancelled", {"items": 100, "duration_secs": 600})
    line.cancel("revived-cancelled")
    with pytest.raises(Exception, match="cancelled"):
        caller.get(timeout=120)
    assert line.emulator.run(run_id)["status"] == "ABORTED"
    assert line.state("revived-cancelled") == "CANCELLED"


def test_deadline_aborts_a_run_that_is_running_again(line, revived):
    caller, run_id = revived("revived-expired", {"items": 100, "duration_secs": 600}, deadline_secs=12)
    with pytest.raises(Exception, match="deadline") as raised:
        caller.get(timeout=120)
    assert reason_of(raised.value)["code"] == "deadline"
    assert line.emulator.run(run_id)["status"] == "ABORTED"


def test_run_that_is_running_again_after_the_end_is_told(ledger, monkeypatch):
    document = parse_document({"actor": "x"})
    ledger.register([NewJob("revived-late", document, "file:///nowhere/", fresh=False)], due_in_s=10)
    ledger.change("revived-late", Change(to=State.DELIVERED, fields={"run_id": "r1", "cost_usd": 0.5}), epoch=None)
    running = SimpleNamespace(id="r1", status="RUNNING", is_terminal=False, usage_total_usd=7)
    monkeypatch.setattr("actorline.upkeep.settle.get_run", lambda *_: running)
    settle_figures(ledger, None, ledger.load("revived-late"), is_last=True)
    (told,) = [entry for entry in ledger.timeline.entries("revived-late") if entry.event == "run-again"]
    assert (told.data["run_status"], "order run_id r1" in told.data["message"]) == ("RUNNING", True)
    job = ledger.load("revived-late")
    assert (job.run.cost_usd, job.figures_settled) == (0.5, True)
