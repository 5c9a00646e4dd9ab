"""A search for a start whose outcome nobody knows, however long it takes; and the one look back of an account."""

import threading
import time
from dataclasses import replace
from typing import Any

import pytest
import requests
from real_parts import TOKEN, wait_for

from actorline.cli.terminal.live_table import progress_text
from actorline.jobs.document.parse import parse_document
from actorline.jobs.fields import NOW
from actorline.jobs.job import Intent
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import Event, State
from actorline.ledger.change import Change
from actorline.ledger.continuity import write_beat
from actorline.ledger.ledger import Ledger
from actorline.ledger.lost_runs import LostRuns
from actorline.ledger.registration import NewJob
from actorline.orders.cancel import cancel_job
from actorline.orders.forget import forget_job
from actorline.platform.errors import NotFound, PlatformError
from actorline.platform.marker import make_marker
from actorline.settings import load_settings
from actorline.stages.start.look_back import LookBack
from actorline.stages.start.moves import StartMoves
from actorline.stages.start.start_run import Starter, load_startable
from actorline.stages.start.steps import StartAgain

INSTALLATION = "al-search"


@pytest.fixture
def starter(ledger, platform, emulator, tmp_path) -> Starter:
    settings = load_settings(apify_token=TOKEN, api_url=emulator.url, home=tmp_path, start_settle_secs=0)
    return Starter(ledger, platform, settings, INSTALLATION, wake=lambda _: None)


def advance(starter: Starter, key: str, epoch: int) -> None:
    starter.advance(load_startable(starter.ledger, key, epoch))


def order(ledger: Ledger, starter: Starter, key: str, actor: str, **fields: Any) -> None:
    sink = f"{starter.settings.home.as_uri()}/rows/{key}/"
    ledger.register([NewJob(key, parse_document({"actor": actor, **fields}), sink, fresh=False)], due_in_s=60)


def start_marked(emulator, actor: str, key: str) -> str:
    """Start a run as the first attempt of the key's job would, and return its id."""
    headers = {"Authorization": f"Bearer {TOKEN}", "User-Agent": make_marker(INSTALLATION, key, 1)}
    url = f"{emulator.url}/v2/actors/{actor.replace('/', '~')}/runs"
    return requests.post(url, json={}, headers=headers, timeout=60).json()["data"]["id"]


def lists(emulator) -> int:
    return sum("startedAfter" in each["query"] for each in emulator.requests("GET", "/v2/actor-runs"))


def is_due(ledger: Ledger, key: str) -> bool:
    return key in ledger.agenda.due(10)


def test_long_search_is_left_alone_and_counts_for_who_follows_it(ledger, starter, emulator, faults, monkeypatch):
    """A cancel in the middle of it sends the job on under the next epoch; nobody searches a second time."""
    monkeypatch.setattr("actorline.stages.start_lease.START_LEASE_RENEW_SECS", 0.05)
    faults({"method": "GET", "action": "delay", "secs": 60, "nth": 2, "path_regex": "/v2/actor-runs$"})
    order(ledger, starter, "unclear", emulator.actor("unclear-search", items=1))
    marker = make_marker(INSTALLATION, "unclear", 1)
    intent = Intent(attempt=1, marker=marker, at=ledger.now() - 100)
    ledger.change("unclear", Change(to=State.STARTING, due_in_s=0, fields={"intent": intent}), epoch=1)
    ledger.runs.note_marker("default", came_back=True)
    searching = threading.Thread(target=advance, args=(starter, "unclear", 1))
    searching.start()
    wait_for(lambda: not is_due(ledger, "unclear"), what="the search to hold off its watch")
    assert cancel_job(ledger, "unclear", sender=FROM_TERMINAL)
    ledger.change("unclear", Change(next_epoch=True, due_in_s=20, fields={"is_planned": False}), epoch=1)
    emulator.end_faults()
    searching.join(60)
    searched = lists(emulator)
    advance(starter, "unclear", 2)
    assert ledger.load("unclear").state is State.CANCELLED
    assert lists(emulator) == searched


def test_encrypted_field_of_our_own_input_lets_no_second_start_go_out(ledger, starter, emulator, faults):
    """Only the input can tell whose the run is, and the platform stores a field of it that nobody can compare."""
    actor = emulator.actor("secret-field", items=1, hide_user_agent=True, secret_fields=["password"])
    order(ledger, starter, "secret-field", actor, input={"user": "u", "password": "p"})
    faults({"method": "POST", "action": "reset_after", "nth": 1, "path_regex": "secret-field/runs$"})
    for _ in range(2):  # the start, and the search for its run
        advance(starter, "secret-field", 1)
    assert ledger.load("secret-field").waiting_for == "start-unclear"
    assert len(emulator.starts(actor)) == 1


def test_jobs_of_an_account_share_one_look_back(ledger, starter, emulator):
    actor = emulator.actor("shared-look", items=1, duration_secs=0)
    for n in range(5):
        order(ledger, starter, f"shared-{n}", actor)
    before = lists(emulator)
    for n in range(5):
        advance(starter, f"shared-{n}", 1)
    assert [ledger.load(f"shared-{n}").state for n in range(5)] == [State.RUNNING] * 5
    assert lists(emulator) - before <= 3  # one list, and two requests that prove it whole


def test_wait_for_the_look_back_claims_no_loss(ledger, platform, starter, emulator):
    """A new ledger has nothing to lose; it can't be told from an emptied one, so the search is made all the same."""
    order(ledger, starter, "first-ever", emulator.actor("first-ever", items=1, duration_secs=0))
    with LookBack(ledger, platform, INSTALLATION, "default").lease():
        advance(starter, "first-ever", 1)
    (waiting,) = [entry for entry in ledger.timeline.entries("first-ever") if entry.event == "waiting"]
    assert "searched once" in waiting.data["message"]
    assert "lost" not in waiting.data["message"]


def test_look_back_that_fails_is_made_again_until_it_succeeds(ledger, starter, emulator, faults):
    """Ten minutes of a platform that returns no lists must not let a start go out unlooked."""
    actor = emulator.actor("failing-look", items=1, duration_secs=60)
    order(ledger, starter, "failing-look", actor)
    run_id = start_marked(emulator, actor, "failing-look")
    faults({"method": "GET", "action": "status", "status": 503, "path_regex": "/v2/actor-runs$", "times": 1000})
    for _ in range(2):
        with pytest.raises(PlatformError):
            advance(starter, "failing-look", 1)
    emulator.end_faults()
    advance(starter, "failing-look", 1)
    assert ledger.load("failing-look").run.id == run_id
    assert len(emulator.starts(actor)) == 1


def test_look_back_is_resumed_where_it_was(ledger, platform, starter, emulator, monkeypatch):
    monkeypatch.setattr("actorline.stages.start.look_back.RUNS_A_BLOCK", 1)
    actor = emulator.actor("resumed-look", items=1, duration_secs=0)
    for n in range(3):
        start_marked(emulator, actor, f"resumed-{n}")
        time.sleep(0.002)  # a list is resumed by the milliseconds of a start
    gap = write_beat(ledger, unknown_s=60)
    look_back, lost = LookBack(ledger, platform, INSTALLATION, "default"), LostRuns(ledger, "default")
    keep = LookBack._keep

    def die(self, marked):
        keep(self, marked)
        if any(marker.digest for _, marker in marked):
            raise ConnectionError("the worker died")

    monkeypatch.setattr(LookBack, "_keep", die)
    with pytest.raises(ConnectionError):
        look_back.run(gap)
    assert lost.last_gap() is None
    monkeypatch.setattr(LookBack, "_keep", keep)
    look_back.run(gap)
    assert lost.last_gap() == gap.id
    for n in range(3):
        order(ledger, starter, f"resumed-{n}", actor)
        assert len(look_back.lost_runs(ledger.load(f"resumed-{n}"))) == 1


@pytest.mark.parametrize("way", ["search", "late webhook", "look back", "lost before"])
def test_run_of_a_forgotten_job_is_no_later_jobs(ledger, starter, emulator, faults, way):
    """A key that lives again has the marker that it had before; on each of these ways the old run was adopted."""
    key = f"again-{way.replace(' ', '-')}"
    actor = emulator.actor(key, items=1, duration_secs=0)
    if way == "lost before":
        start_marked(emulator, actor, key)
    order(ledger, starter, key, actor)
    advance(starter, key, 1)
    old = ledger.load(key)
    ledger.webhooks.note_hinted_run(key, old.run.id)
    ledger.move(old, Event.FAIL, Change(fields={"ended_at": NOW}))
    forget_job(ledger, ledger.load(key), INSTALLATION, lambda _: None)
    assert ledger.webhooks.hinted_run(key) is None

    order(ledger, starter, key, actor)
    if way == "look back":
        ledger.redis.hset(ledger.name("continuity"), "run_id", "another server's")
    if way in {"search", "late webhook"}:
        faults({"method": "POST", "action": "reset_before", "nth": 1, "path_regex": f"{key}/runs$"})
        advance(starter, key, 1)  # the start that never arrives
        if way == "late webhook":
            ledger.webhooks.note_hinted_run(key, old.run.id)
        advance(starter, key, 1)  # the search for its run
    advance(starter, key, 1)
    new = ledger.load(key)
    assert (new.state, new.run.adopted, new.run.id == old.run.id) == (State.RUNNING, False, False)
    assert ledger.runs.strays() == {}


def test_starts_that_come_to_nothing_follow_each_other_ever_later(ledger, starter, emulator, faults):
    """A proxy that answers each start itself must not get one per settle time for ever."""
    actor = emulator.actor("behind-proxy", items=1, duration_secs=0)
    html = {"method": "POST", "path_regex": "behind-proxy/runs$", "status": 403, "html": "<p>No</p>", "times": 1000}
    faults({"action": "status", **html})
    order(ledger, starter, "behind-proxy", actor)
    ledger.runs.note_marker("default", came_back=True)
    advance(starter, "behind-proxy", 1)  # the start
    advance(starter, "behind-proxy", 1)  # the search for its run
    assert (ledger.load("behind-proxy").intent, due_in(ledger, "behind-proxy")) == (None, pytest.approx(0, abs=5))
    waits = []
    moves = StartMoves(ledger, starter.settings.model_copy(update={"start_settle_secs": 120}), "al-test")
    for _ in range(3):
        moves.make(ledger.load("behind-proxy"), StartAgain())
        waits.append(due_in(ledger, "behind-proxy"))
    assert waits == pytest.approx([0, 120, 240], abs=5)
    job = ledger.load("behind-proxy")
    assert (job.state, job.waiting_for, job.unclear_starts) == (State.WAITING, "platform-unavailable", 4)
    assert progress_text(job, ledger.now()).startswith("waits: platform-unavailable, until ")
    told = [entry.data["message"] for entry in ledger.timeline.entries("behind-proxy") if "starting" in str(entry.data)]
    assert told[-1].endswith("starting again in 240 s, after 4 starts that came to nothing")
    assert cancel_job(ledger, "behind-proxy", sender=FROM_TERMINAL)
    assert is_due(ledger, "behind-proxy")
    emulator.end_faults()


def due_in(ledger: Ledger, key: str) -> float:
    return ledger.redis.zscore(ledger.name("due"), key) - ledger.now()


STRANGER = {
    "id": "stranger0", "actId": "another", "status": "SUCCEEDED", "meta": {"origin": "API", "userAgent": "curl/8"},
    "startedAt": "2026-11-24T08:00:00.000Z", "defaultDatasetId": "d", "defaultKeyValueStoreId": "none-like-it",
}  # fmt: skip
ODD = [
    {"status": None}, {"startedAt": None}, {"startedAt": "soon"}, {"status": "S" * 5_000}, {"meta": None}, {"id": None},
    {"id": None, "meta": None}, {"meta": None, "status": None, "actId": None},
]  # fmt: skip


def list_as_well(monkeypatch, platform, item: Any) -> dict[str, Any]:
    """Let the first page of each list end with an item. What a GET of it says is the returned dictionary; empty: it
    isn't found.
    """
    get_data, itself = platform.get_data, dict(item)

    def respond(path: str, params: Any = None, **options: Any) -> Any:
        if path.endswith("stranger0"):
            if not itself:
                raise NotFound("Actor run was not found")
            return itself
        data = get_data(path, params, **options)
        if path == "actor-runs" and not params["offset"]:
            data["items"].append(item)
        return data

    monkeypatch.setattr(platform, "get_data", respond)
    return itself


def advance_to_the_run(starter: Starter, key: str, steps: int) -> None:
    for _ in range(steps):
        if load_startable(starter.ledger, key, 1):
            advance(starter, key, 1)
    assert starter.ledger.load(key).state is State.RUNNING


@pytest.mark.parametrize("odd", range(len(ODD)))
def test_strangers_odd_run_stops_no_start(ledger, platform, starter, emulator, faults, monkeypatch, odd):
    """Neither the first one of a fresh ledger, nor one whose reply was lost, whatever the run says of itself."""
    itself = list_as_well(monkeypatch, platform, {**STRANGER, **ODD[odd]})
    actor = emulator.actor("beside-odd", items=1, duration_secs=0)
    order(ledger, starter, "beside-odd", actor)
    advance_to_the_run(starter, "beside-odd", 1)
    ledger.runs.note_marker("default", came_back=True)
    for name, says in (("odd", dict(itself)), ("whole", STRANGER), ("gone", {})):
        itself.clear()
        itself.update(says)
        order(ledger, starter, f"beside-{name}", actor)
        faults({"method": "POST", "action": "reset_before", "nth": 1, "path_regex": "beside-odd/runs$"})
        advance_to_the_run(starter, f"beside-{name}", 3)


@pytest.mark.parametrize("odd", [{"status": None}, {"startedAt": "soon"}, {"id": None}])
def test_own_run_that_a_list_shows_oddly_is_paid_once(ledger, platform, starter, emulator, faults, monkeypatch, odd):
    key = f"shown-oddly-{next(iter(odd)).lower()}"
    actor = emulator.actor(key, items=1, duration_secs=60)
    get_data = platform.get_data

    def respond(path: str, params: Any = None, **options: Any) -> Any:
        data = get_data(path, params, **options)
        if path == "actor-runs":
            data["items"] = [{**item, **odd} for item in data["items"]]
        return data

    monkeypatch.setattr(platform, "get_data", respond)
    order(ledger, starter, key, actor)
    faults({"method": "POST", "action": "reset_after", "nth": 1, "path_regex": f"{key}/runs$"})
    if "id" not in odd:
        advance_to_the_run(starter, key, 2)
        assert ledger.load(key).run.adopted
    else:
        for _ in range(3):
            advance(starter, key, 1)
        assert ledger.load(key).waiting_for == "start-unclear"
        asked = [entry.data["message"] for entry in ledger.timeline.entries(key) if "code" in entry.data]
        assert "one of these runs is the job's: a run without an id." in asked[0]
    assert len(emulator.starts(actor)) == 1


def may_not_list(status: int, type_: str) -> dict[str, Any]:
    path_regex = "/v2/actor-runs$"
    return {
        "method": "GET", "action": "status", "status": status, "type": type_, "path_regex": path_regex, "times": 1000
    }  # fmt: skip


MAY_NOT_LIST = [(403, "insufficient-permissions"), (403, "a-type-of-tomorrow"), (404, "page-not-found")]


@pytest.mark.parametrize("refused", MAY_NOT_LIST)
def test_token_that_may_not_list_runs_starts_none_and_says_so(ledger, starter, emulator, faults, refused):
    actor = emulator.actor("may-not-list", items=1)
    order(ledger, starter, "may-not-list", actor)
    faults(may_not_list(*refused))
    advance(starter, "may-not-list", 1)
    job = ledger.load("may-not-list")
    assert (job.state, job.reason.code, job.reason.billed) == (State.FAILED, "forbidden", False)
    assert "The token must be allowed to list runs" in job.reason.message
    assert emulator.starts(actor) == []


@pytest.mark.parametrize("refused", MAY_NOT_LIST)
def test_unclear_start_that_may_not_be_searched_asks_a_person(ledger, starter, emulator, faults, refused):
    order(ledger, starter, "no-search", emulator.actor("no-search", items=1))
    intent = Intent(attempt=1, marker=make_marker(INSTALLATION, "no-search", 1), at=ledger.now() - 100)
    ledger.change("no-search", Change(to=State.STARTING, due_in_s=0, fields={"intent": intent}), epoch=1)
    faults(may_not_list(*refused))
    for _ in range(2):
        advance(starter, "no-search", 1)
        job = ledger.load("no-search")
        assert (job.state, job.waiting_for, job.intent) == (State.WAITING, "start-unclear", intent)
    (asked,) = [entry for entry in ledger.timeline.entries("no-search") if entry.event == "start-unclear"]
    assert "The token must be allowed to list runs" in asked.data["message"]
    assert cancel_job(ledger, "no-search", sender=FROM_TERMINAL)
    advance(starter, "no-search", 1)
    job = ledger.load("no-search")
    assert (job.state, job.reason.code, job.reason.billed) == (State.CANCELLED, "cancelled", True)
    assert "It is unknown whether a run was started and is billing" in job.reason.message


def test_revoked_token_of_an_input_with_a_secret_is_told(ledger, starter, emulator, faults):
    actor = emulator.actor("revoked-secret", items=1)
    secretive = parse_document({"actor": actor, "input": {"password": {"$secret": "ANY"}}})
    sink = f"{starter.settings.home.as_uri()}/rows/revoked-secret/"
    ledger.register([NewJob("revoked-secret", secretive, sink, fresh=True)], due_in_s=60)
    secrets = {"ANY": {"value": "x", "actors": ["id-of-another"]}}  # so the platform is asked for its id
    settings = load_settings(apify_token=TOKEN, api_url=emulator.url, home=starter.settings.home, secrets=secrets)
    refused = {"action": "status", "status": 401, "type": "user-or-token-not-found", "times": 1000}
    faults({"method": "GET", "path_regex": "~revoked-secret$", **refused})
    advance(replace(starter, settings=settings), "revoked-secret", 1)
    job = ledger.load("revoked-secret")
    assert (job.state, job.reason.code, emulator.starts(actor)) == (State.FAILED, "auth", [])
