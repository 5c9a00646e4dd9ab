"""What a poll makes of what the platform says: one 404 is no proof that a run is gone, for example."""

import secrets

import pytest
import requests
from real_parts import TOKEN

from actorline.jobs.document.parse import parse_document
from actorline.jobs.failure_policy import LOST_MOST
from actorline.jobs.sender import FROM_CELERY, FROM_TERMINAL
from actorline.jobs.states import State
from actorline.jobs.step import Ended, Moved, Stop, Wait
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.registration import NewJob
from actorline.orders.cancel import cancel_job, cancel_jobs
from actorline.platform import runs as platform_runs
from actorline.platform.client import Platform
from actorline.platform.errors import InvalidRequest, RateLimited
from actorline.platform.marker import digest_of, make_marker
from actorline.platform.runs import FINAL_FIGURES_SECS, Run
from actorline.platform.start import StartDeferred, StartUnclear
from actorline.settings import load_settings
from actorline.stages.watch import poll_run, resurrection
from actorline.stages.watch.poll_run import MISSING_SECS, Poller
from actorline.upkeep.decision import Postpone, SendAgain, decide
from actorline.upkeep.orphans import find_orphans


@pytest.fixture
def poll(ledger, platform, emulator, tmp_path):
    """Polls a job once more; returns the step."""
    poller = Poller(ledger, platform, load_settings(apify_token=TOKEN, api_url=emulator.url, home=tmp_path))
    numbers = iter(range(100))
    return lambda key: poller.advance(ledger.claim_poll(key, 1, next(numbers), secrets.token_hex(4)))


CANCELLED = '{"code": "cancelled", "message": "The job was cancelled.", "platform_type": null, "billed": true}'


def add_job(ledger: Ledger, key: str, run_id: str, state: State = State.RUNNING, **fields) -> None:
    document = parse_document({"actor": "demo/any", **fields.pop("order", {})})
    ledger.register([NewJob(key, document, "file:///rows/k/", fresh=False)], due_in_s=60)
    found = {"run_id": run_id, "run_status": "RUNNING", "started_at": ledger.now() - 600, **fields}
    ledger.change(key, Change(to=state, fields=found), epoch=1)
    ledger.redis.hset(ledger.name("run_keys"), run_id, key)
    ledger.redis.hset(ledger.name("runs", key), "1", f'["{run_id}"]')


def start_run(emulator, actor: str, marker: str) -> str:
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": marker}
    url = f"{emulator.url}/v2/actors/{actor.replace('/', '~')}/runs"
    return requests.post(url, json={}, headers=headers, timeout=60).json()["data"]["id"]


def let_time_pass(ledger: Ledger, key: str) -> None:
    ledger.redis.hset(ledger.name("job", key), "missing_since", ledger.now() - MISSING_SECS - 1)


def test_run_is_gone_when_said_repeatedly_and_by_the_list(ledger, poll):
    add_job(ledger, "gone", "nosuchrun1234567x")
    assert isinstance(poll("gone"), Wait)
    assert ledger.load("gone").state is State.RUNNING
    let_time_pass(ledger, "gone")
    assert isinstance(poll("gone"), Ended)
    job = ledger.load("gone")
    assert (job.state, job.reason.code) == (State.FAILED, "run-vanished")


def test_run_that_the_list_shows_is_not_gone(ledger, poll, emulator, faults):
    actor = emulator.actor("listed", items=1, duration_secs=600)
    run_id = start_run(emulator, actor, "somebody/1.0")
    add_job(ledger, "listed", run_id)
    faults(
        {
            "method": "GET",
            "action": "status",
            "status": 404,
            "type": "record-not-found",
            "times": 100,
            "path_regex": f"/v2/actor-runs/{run_id}$",
        }
    )
    for _ in range(2):
        assert isinstance(poll("listed"), Wait)
        let_time_pass(ledger, "listed")
    emulator.end_faults()
    assert isinstance(poll("listed"), Wait)
    assert ledger.load("listed").run.missing_since is None


def run_without_end_time(status: str, **fields: object) -> Run:
    times = {"startedAt": "2026-11-30T00:00:00Z", "finishedAt": None}
    stores = {"defaultDatasetId": "d", "defaultKeyValueStoreId": "k"}
    return Run.from_platform({"id": "flickers", "actId": "a", "status": status, **times, **stores, **fields})


def failed_run(cost_usd: float | None) -> Run:
    return run_without_end_time("FAILED", finishedAt="2026-11-30T00:00:01Z", usageTotalUsd=cost_usd)


def test_new_run_waits_until_the_last_ones_cost_is_final(ledger, poll, monkeypatch):
    add_job(ledger, "fails", "fails", order={"on_failure": {"new_runs": 1}})
    monkeypatch.setattr(poll_run, "get_run", lambda *_: failed_run(0.1))
    assert poll("fails").seconds == pytest.approx(FINAL_FIGURES_SECS)
    job = ledger.load("fails")
    assert (job.state, job.attempt, job.total_cost_usd) == (State.RUNNING, 1, 0.1)
    ledger.redis.hset(ledger.name("job", "fails"), "collecting_at", ledger.now() - FINAL_FIGURES_SECS)
    monkeypatch.setattr(poll_run, "get_run", lambda *_: failed_run(0.3))
    assert isinstance(poll("fails"), Stop)
    job = ledger.load("fails")
    assert (job.state, job.attempt, job.total_cost_usd) == (State.QUEUED, 2, 0.3)


@pytest.mark.parametrize("new_runs", [0, 1])
def test_a_poll_without_a_cost_keeps_the_known_one(ledger, poll, monkeypatch, new_runs):
    policy = {"new_runs": new_runs, "deliver_partial": False}
    add_job(ledger, "cost-untold", "cost-untold", cost_usd=0.25, order={"on_failure": policy})
    monkeypatch.setattr(poll_run, "get_run", lambda *_: run_without_end_time("RUNNING", usageTotalUsd=None))
    assert isinstance(poll("cost-untold"), Wait)
    assert ledger.load("cost-untold").run.cost_usd == 0.25
    ledger.redis.hset(ledger.name("job", "cost-untold"), "collecting_at", ledger.now() - FINAL_FIGURES_SECS)
    monkeypatch.setattr(poll_run, "get_run", lambda *_: failed_run(None))
    poll("cost-untold")
    job, said = ledger.load("cost-untold"), ledger.timeline.entries("cost-untold")
    assert (job.attempt, job.total_cost_usd) == (1 + new_runs, 0.25)
    assert [entry.data["cost_usd"] for entry in said if entry.event in {"run-ended", "new-run"}] == [0.25]


def test_cancel_ends_the_wait_for_a_failed_runs_cost(ledger, poll, monkeypatch):
    policy = {"new_runs": 1, "deliver_partial": False}
    add_job(ledger, "fails-unwanted", "fails-unwanted", order={"on_failure": policy})
    for name in ("get_run", "abort_run"):
        monkeypatch.setattr(poll_run, name, lambda *_, **__: failed_run(0.1))
    assert isinstance(poll("fails-unwanted"), Wait)
    cancel_job(ledger, "fails-unwanted", sender=FROM_TERMINAL)
    assert isinstance(poll("fails-unwanted"), Ended)
    assert (ledger.load("fails-unwanted").state, ledger.load("fails-unwanted").attempt) == (State.CANCELLED, 1)


def test_end_without_its_time_counts_if_it_is_said_twice(ledger, poll, monkeypatch):
    add_job(ledger, "flickers", "flickers")
    runs = map(run_without_end_time, ["SUCCEEDED", "RUNNING", "SUCCEEDED", "SUCCEEDED"])
    monkeypatch.setattr(poll_run, "get_run", lambda *_: next(runs))
    assert [type(poll("flickers")) for _ in range(4)] == [Wait, Wait, Wait, Moved]


def test_end_without_its_time_counts_where_an_abort_is_refused(ledger, poll, monkeypatch):
    add_job(ledger, "flickers", "flickers", State.ABORTING, reason=CANCELLED)

    def refuse(*_: object, **__: object) -> None:
        raise InvalidRequest("A run that has ended can't be aborted", status=400)

    monkeypatch.setattr(Platform, "post_data", refuse)
    monkeypatch.setattr(platform_runs, "get_run", lambda *_: run_without_end_time("ABORTED"))
    assert [type(poll("flickers")) for _ in range(2)] == [Wait, Moved]
    assert ledger.load("flickers").state is State.COLLECTING


def test_abort_is_not_asked_for_again_beside_a_poll_that_does(ledger, poll, monkeypatch):
    needs = []

    def look_meanwhile(*_: object, **__: object) -> Run:
        needs.append(
            decide(ledger.load("wanted"), now=ledger.now(), empty_at={"control": ledger.now()}, lost_message_s=40)
        )
        return run_without_end_time("ABORTING")

    add_job(ledger, "wanted", "wanted")
    cancel_job(ledger, "wanted", sender=FROM_TERMINAL)
    assert isinstance(decide(ledger.load("wanted"), now=ledger.now(), empty_at={}, lost_message_s=40), SendAgain)
    monkeypatch.setattr(poll_run, "abort_run", look_meanwhile)
    poll("wanted")
    assert [type(need) for need in needs] == [Postpone]


def test_second_cancel_during_an_abort_changes_nothing(ledger):
    add_job(ledger, "twice", "twice", State.ABORTING, reason=CANCELLED)
    before = ledger.load("twice")
    assert cancel_job(ledger, "twice", sender=FROM_TERMINAL)
    assert cancel_jobs(ledger, ["twice"], sender=FROM_CELERY) == ["twice"]
    assert ledger.load("twice") == before


def test_cancel_during_an_abort_for_other_reasons_counts(ledger):
    add_job(ledger, "enough", "enough", State.ABORTING)
    assert cancel_job(ledger, "enough", sender=FROM_TERMINAL)
    assert ledger.load("enough").stop_wish == "cancel"


def test_cancel_that_comes_as_a_poll_obeys_another_wish_stays(ledger, poll, platform, tmp_path):
    add_job(ledger, "overtaken", "overtaken", stop_wish="enough")
    loaded = ledger.load("overtaken")
    cancel_job(ledger, "overtaken", sender=FROM_TERMINAL)
    assert isinstance(Poller(ledger, platform, load_settings(home=tmp_path)).advance(loaded), Stop)
    assert (ledger.load("overtaken").state, ledger.load("overtaken").stop_wish) == (State.RUNNING, "cancel")


FAILED_RUN = {
    "id": "failed",
    "actId": "a",
    "status": "FAILED",
    "startedAt": "2026-11-29T00:00:00Z",
    "finishedAt": "2026-11-29T00:01:00Z",
    "defaultDatasetId": "d",
    "defaultKeyValueStoreId": "k",
}


@pytest.fixture
def resurrections(ledger, monkeypatch):
    """A failed run whose job wants a resurrection; the platform defers it, for 50 s, while `meanwhile` happens."""
    meanwhile = []

    def defer(*_: object, announce, **__: object) -> None:
        announce()
        for happen in meanwhile:
            happen()
        raise StartDeferred(RateLimited("Too many requests", status=429, retry_after_s=50))

    add_job(ledger, "failed", "failed", order={"on_failure": {"resurrect": 1}})
    monkeypatch.setattr(poll_run, "get_run", lambda *_: Run.from_platform(FAILED_RUN))
    monkeypatch.setattr(resurrection, "resurrect_run", defer)
    return meanwhile


@pytest.mark.usefixtures("resurrections")
def test_resurrection_comes_again_no_sooner_than_asked(poll):
    assert poll("failed") == Wait(50, at_least_s=50)


def test_resurrection_that_was_deferred_leaves_no_intent(ledger, poll, resurrections):
    resurrections.append(lambda: cancel_job(ledger, "failed", sender=FROM_TERMINAL))
    assert isinstance(poll("failed"), Stop)
    job = ledger.load("failed")
    assert (job.chances.resurrection, job.chances.resurrects, job.stop_wish) == (None, 0, "cancel")


@pytest.fixture
def unclear(ledger, monkeypatch):
    """A failed run whose job wants one resurrection. Each request for it is in the list that is returned; its outcome
    is unclear, and the run doesn't show it.
    """
    asked = []

    def break_off(*_: object, announce, **__: object) -> None:
        announce()
        asked.append(ledger.load("unrevived").chances.resurrection)
        raise StartUnclear("the platform responded 502 to the resurrection")

    add_job(ledger, "unrevived", "failed", order={"on_failure": {"resurrect": 1, "deliver_partial": False}})
    monkeypatch.setattr(poll_run, "get_run", lambda *_: Run.from_platform(FAILED_RUN))
    monkeypatch.setattr(resurrection, "resurrect_run", break_off)
    return asked


def let_it_settle(ledger: Ledger) -> None:
    """Let an unclear resurrection have been sent so long ago that it would be seen by now."""
    asked = ledger.load("unrevived").chances.resurrection
    ago = asked.model_copy(update={"at": asked.at - 1000, "sent_at": asked.sent_at and asked.sent_at - 1000})
    ledger.redis.hset(ledger.name("job", "unrevived"), "resurrection", ago.model_dump_json())


def resurrection_events(ledger: Ledger) -> list[str]:
    return [entry.event for entry in ledger.timeline.entries("unrevived") if "resurrect" in entry.event]


def test_lost_resurrection_is_asked_for_again_and_seen(ledger, poll, monkeypatch, unclear):
    poll("unrevived")
    poll("unrevived")  # it isn't repeated before it would be seen
    assert len(unclear) == 1
    let_it_settle(ledger)
    assert isinstance(poll("unrevived"), Wait)
    assert (len(unclear), ledger.load("unrevived").chances.resurrects) == (1, 0)
    poll("unrevived")
    assert (len(unclear), ledger.load("unrevived").chances.resurrects) == (2, 1)
    monkeypatch.setattr(poll_run, "get_run", lambda *_: run_without_end_time("RUNNING"))
    for _ in range(2):
        poll("unrevived")
    asked = ["resurrecting", "resurrection-unclear"]
    assert resurrection_events(ledger) == [*asked, "resurrection-lost", *asked, "resurrected"]
    assert ledger.load("unrevived").chances.resurrection is None


def test_resurrections_that_stay_lost_end_with_saying_so(ledger, poll, unclear):
    while not (job := ledger.load("unrevived")).is_terminal:
        if job.chances.resurrection and not job.chances.resurrection.is_lost:
            let_it_settle(ledger)
        poll("unrevived")
    assert len(unclear) == 1 + LOST_MOST
    lost = [entry.data["again"] for entry in ledger.timeline.entries("unrevived") if entry.event == "resurrection-lost"]
    assert lost == [True] * LOST_MOST + [False]
    assert job.reason.message == "The run ended FAILED. It was to be resurrected, but no resurrection came of that"
    assert job.chances.resurrection is not None  # if it comes after all, the run is aborted


def test_resurrection_that_the_platform_confirms_is_asked_once(ledger, poll, monkeypatch, unclear):
    monkeypatch.setattr(resurrection, "resurrect_run", lambda *_, announce, **__: announce())
    poll("unrevived")
    assert resurrection_events(ledger) == ["resurrecting", "resurrected"]
    let_it_settle(ledger)
    assert isinstance(poll("unrevived"), Wait)
    assert isinstance(poll("unrevived"), Ended)
    assert resurrection_events(ledger) == ["resurrecting", "resurrected", "resurrection-lost"]
    assert unclear == []


def test_resurrection_under_way_is_not_given_up(ledger, poll, unclear):
    poll("unrevived")
    let_it_settle(ledger)
    lease = ledger.lease("start", "unrevived", seconds=60)
    assert lease.acquire()
    assert isinstance(poll("unrevived"), Wait)
    assert not ledger.load("unrevived").chances.resurrection.is_lost
    lease.release()
    poll("unrevived")
    assert ledger.load("unrevived").chances.resurrection.is_lost


def test_look_that_began_before_it_settled_gives_nothing_up(ledger, poll, monkeypatch, unclear):
    poll("unrevived")

    def slow_look(*_: object) -> Run:
        clock = ledger.now() + 1000
        monkeypatch.setattr(ledger, "now", lambda: clock)
        return Run.from_platform(FAILED_RUN)

    monkeypatch.setattr(poll_run, "get_run", slow_look)
    poll("unrevived")
    assert "resurrection-lost" not in resurrection_events(ledger)
    assert len(unclear) == 1


def test_cancelled_job_whose_run_is_gone_ends_cancelled(ledger, poll):
    add_job(ledger, "stopped", "nosuchrun7654321x", State.ABORTING, reason=CANCELLED)
    poll("stopped")
    let_time_pass(ledger, "stopped")
    assert isinstance(poll("stopped"), Ended)
    assert ledger.load("stopped").state is State.CANCELLED


def test_sweep_leaves_a_run_alone_that_another_live_job_collects(ledger, platform, emulator):
    actor = emulator.actor("swept-over", items=1, duration_secs=600)
    run_id = start_run(emulator, actor, make_marker("al-vanished", "first", 1))
    add_job(ledger, "first", run_id, State.FAILED, run_status="RUNNING")
    ledger.redis.hset(ledger.name("markers"), digest_of("first"), "first")
    assert [orphan.run.id for orphan in find_orphans(ledger, platform, "al-vanished", "default")] == [run_id]
    ledger.runs.forget_stray(run_id)
    add_job(ledger, "second", run_id)
    assert list(find_orphans(ledger, platform, "al-vanished", "default")) == []
    assert not ledger.runs.strays()
