"""One stage of a job by hand, on a real ledger and the emulator, from a state that a whole job seldom comes to."""

import threading
from contextlib import closing, nullcontext

import pytest
from pydantic import SecretStr
from real_parts import TOKEN, wait_for
from terminal import actorline

from actorline import shutdown
from actorline.checks.installation import _waiting
from actorline.errors import Code, Reason
from actorline.gateway.pages.presentation.next_step import WAITS, next_step
from actorline.jobs.document.guard import Broken, Enough
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job import Intent, StopWish
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import Event, State
from actorline.jobs.step import Moved, Wait
from actorline.ledger.change import Change
from actorline.ledger.queries.savings import read_savings
from actorline.ledger.queries.tally import read_tally
from actorline.ledger.registration import NewJob
from actorline.orders.cancel import cancel_job
from actorline.platform.client import Platform
from actorline.platform.errors import RateLimited
from actorline.platform.runs import get_run
from actorline.settings import load_settings
from actorline.shutdown import GivenBack
from actorline.stages.collect.fetch_pages import load_collecting
from actorline.stages.collect.finish_job import Finisher
from actorline.stages.start.moves import StartMoves
from actorline.stages.start.outside_input import INPUT_TRIES
from actorline.stages.start.refusal import refusal_reason
from actorline.stages.start.start_run import Starter, load_startable
from actorline.stages.start.steps import Refuse, TryLater, Unclear
from actorline.stages.watch.poll_run import Poller
from actorline.upkeep.abort_stray import abort_stray

LONG_AGO = 1_000.0


@pytest.fixture
def line(own_line):
    return own_line("single-stages")


@pytest.fixture
def platform(line):
    with closing(Platform(line.emulator.url, SecretStr(TOKEN), user_agent="test")) as platform:
        yield platform


def created(line, key, state, **fields):
    document = parse_document({"actor": "x", **fields.pop("order", {})})
    line.ledger.register([NewJob(key, document, f"file://{line.home}/{key}/", fresh=False)], due_in_s=10)
    line.ledger.change(key, Change(to=state, fields=fields), epoch=None)


def test_cancelled_job_whose_run_is_gone_ends_cancelled(line, platform):
    reason = Reason(code=Code.CANCELLED, message="The job was cancelled.", billed=True)
    created(line, "gone", State.ABORTING, run_id="gone", started_at=LONG_AGO, missing_since=LONG_AGO, reason=reason)
    Poller(line.ledger, platform, load_settings()).advance(line.ledger.load("gone"))
    job = line.ledger.load("gone")
    assert (job.state, job.reason.code) == ("CANCELLED", "cancelled")
    assert "doesn't know the run any more" in job.reason.message


@pytest.mark.parametrize("status", ["RUNNING", "unknown"])
def test_stop_wish_during_a_poll_is_obeyed_at_once(line, platform, monkeypatch, status):
    actor = line.emulator.actor("stopped-in-a-poll", items=1, duration_secs=60)
    run = line.emulator.post(f"/v2/actors/{actor.replace('/', '~')}/runs")["data"]
    run_id = run["id"] if status == "RUNNING" else "unknown"
    order = {"poll_interval_secs": 3_600}
    key = f"wish-{status}"
    created(line, key, State.RUNNING, order=order, run_id=run_id, started_at=LONG_AGO)

    def read(platform, run_id):
        cancel_job(line.ledger, key, sender=FROM_TERMINAL)
        return get_run(platform, run_id)

    monkeypatch.setattr("actorline.stages.watch.poll_run.get_run", read)
    Poller(line.ledger, platform, load_settings()).advance(line.ledger.load(key))
    assert key in line.ledger.agenda.due(10)


@pytest.mark.parametrize(("status", "after", "seconds"), [(503, "25", 25), (429, "25", 25), (503, None, 1)])
def test_poll_comes_again_no_sooner_than_asked(line, faults, status, after, seconds):
    key, headers = f"asked-to-wait-{status}-{after}", {} if after is None else {"Retry-After": after}
    created(line, key, State.RUNNING, order={"poll_interval_secs": 1}, run_id=key, started_at=LONG_AGO)
    faults({"action": "status", "path_regex": f"/actor-runs/{key}", "status": status, "headers": headers})
    with closing(Platform(line.emulator.url, SecretStr(TOKEN), sleep=lambda _: None)) as platform:
        assert Poller(line.ledger, platform, load_settings()).advance(line.ledger.load(key)) == Wait(
            seconds, at_least_s=int(after or 0)
        )


def test_worker_that_is_to_stop_starts_no_run(line, platform, monkeypatch):
    """Nobody may be left to look after it."""
    actor = line.emulator.actor("started-no-more", items=1)
    (line.home / "started-no-more").mkdir(parents=True)
    created(line, "started-no-more", State.QUEUED, order={"actor": actor})
    starter = Starter(line.ledger, platform, load_settings(), "al-test", wake=lambda _: None)
    stopping = threading.Event()
    stopping.set()
    with monkeypatch.context() as asked:
        asked.setattr(shutdown, "_asked", stopping)
        with pytest.raises(GivenBack):
            starter.advance(load_startable(line.ledger, "started-no-more", 1))
    assert (line.emulator.starts(actor), line.ledger.load("started-no-more").intent) == ([], None)
    assert starter.advance(load_startable(line.ledger, "started-no-more", 1)) == Moved()
    assert len(line.emulator.starts(actor)) == 1


BROKEN = Broken(rule="required", path="price", figure=1, limit=0, rows=9, message="no price", stops=True)
ENOUGH = Enough(rule="items", rows=9, needed=5, message="5 rows were enough")
ROWS = {"guard": {"required": ["price"]}, "stop_when": {"items": 5}, "on_failure": {"resurrect": 2, "new_runs": 2}}


@pytest.mark.parametrize("stopped", [{"broken": BROKEN}, {"enough": ENOUGH}])
def test_deadline_during_the_abort_ends_the_job_expired(line, platform, stopped):
    key, run_id = aborting(line, f"late-{''.join(stopped)}", stopped, abort_secs=0, deadline_secs=1)
    line.ledger.change(key, Change(fields={"stop_wish": StopWish.EXPIRE}), epoch=None)
    Poller(line.ledger, platform, load_settings()).advance(line.ledger.load(key))
    wait_for(lambda: line.emulator.run(run_id)["status"] == "ABORTED", what="the run's end")
    Poller(line.ledger, platform, load_settings()).advance(line.ledger.load(key))
    Finisher(line.ledger, platform, load_settings(), "al-test").advance(
        *load_collecting(line.ledger, key, 1), "execution"
    )
    job = line.ledger.load(key)
    assert (job.state, job.reason.code) == ("EXPIRED", "deadline")


@pytest.mark.parametrize("stopped", [{"broken": BROKEN}, {"enough": ENOUGH}])
def test_run_resurrected_during_the_abort_is_aborted_again(line, platform, stopped):
    key, run_id = aborting(line, f"back-{''.join(stopped)}", stopped, abort_secs=0)
    line.emulator.post(f"/v2/actor-runs/{run_id}/abort")
    wait_for(lambda: line.emulator.run(run_id)["status"] == "ABORTED", what="the run's end")
    line.emulator.post(f"/v2/actor-runs/{run_id}/resurrect")
    for _ in range(2):
        Poller(line.ledger, platform, load_settings()).advance(line.ledger.load(key))
        wait_for(lambda: line.emulator.run(run_id)["status"] == "ABORTED", what="the run's end")
    assert line.state(key) == "COLLECTING"
    assert len(line.emulator.requests("POST", f"/v2/actor-runs/{run_id}/abort")) >= 2


def aborting(line, name, stopped, *, abort_secs, **order):
    """A job that is about to abort its run because of its rows."""
    actor = line.emulator.actor(name, items=9, duration_secs=60, abort_secs=abort_secs)
    run = line.emulator.post(f"/v2/actors/{actor.replace('/', '~')}/runs")["data"]
    facts = {"run_id": run["id"], "dataset_id": run["defaultDatasetId"], "started_at": LONG_AGO}
    created(line, name, State.ABORTING, order={**ROWS, **order}, **facts, **stopped)
    return name, run["id"]


def test_input_has_all_its_tries_after_a_long_wait_for_room(line, platform):
    order = {"input_url": "http://127.0.0.1:9/input.json"}  # nobody listens there
    created(line, "waited", State.WAITING, order=order, failures=5 * INPUT_TRIES)
    settings = load_settings(home=line.home, input_hosts=["127.0.0.1"])
    for failed in range(INPUT_TRIES + 1):
        assert line.ledger.load("waited").input_failures == failed
        assert line.state("waited") == "WAITING"
        starter = Starter(line.ledger, platform, settings, "al-test", wake=lambda _: None)
        starter.advance(load_startable(line.ledger, "waited", 1))
    assert line.ledger.load("waited").reason.code == "input-unreadable"


def test_stray_of_a_forgotten_job_is_looked_for_in_every_account(line, platform, request):
    elsewhere = Platform(line.emulator.url, SecretStr("apify_api_nobody"), user_agent="test")
    request.addfinalizer(elsewhere.close)
    accounts = {"shop": elsewhere, "team": platform}

    def opened(account):
        return nullcontext(accounts[account])

    actor = line.emulator.actor("stray-forgotten", items=1, duration_secs=60)
    run = line.emulator.post(f"/v2/actors/{actor.replace('/', '~')}/runs")["data"]
    line.ledger.runs.add_stray(run["id"], "forgotten")
    line.ledger.runs.add_stray("never-was", "forgotten")
    abort_stray(line.ledger, run["id"], accounts=accounts, open_platform=opened)
    wait_for(lambda: line.emulator.run(run["id"])["status"] == "ABORTED", what="the run's end")
    for _ in range(2):
        abort_stray(line.ledger, run["id"], accounts=accounts, open_platform=opened)
    assert [read_savings(line.ledger, accounts=[account]).stopped for account in accounts] == [0, 1]
    abort_stray(line.ledger, "never-was", accounts=accounts, open_platform=opened)
    assert "never-was" in line.ledger.runs.strays()  # one of the accounts could not be asked


def test_stray_whose_abort_is_refused_is_let_go_when_it_has_ended(line, platform, faults):
    actor = line.emulator.actor("stray-refused", items=1, duration_secs=60)
    run = line.emulator.post(f"/v2/actors/{actor.replace('/', '~')}/runs")["data"]
    line.ledger.runs.add_stray(run["id"], "forgotten")
    faults({"action": "status", "status": 403, "type": "job-finished", "path_regex": f"/{run['id']}/abort$"})
    for left in (True, False):
        abort_stray(line.ledger, run["id"], accounts=["team"], open_platform=lambda _: nullcontext(platform))
        assert (run["id"] in line.ledger.runs.strays()) is left
        line.emulator.finish(run["id"])


def announced(line, key, state, **fields):
    """A job as it was before its start was announced, and the intent."""
    created(line, key, state, **fields)
    job = line.ledger.load(key)
    intent = Intent(attempt=1, marker="m", at=line.ledger.now(), input_sha256=None)
    assert line.ledger.move(job, Event.START, Change(fields={"intent": intent}))
    return job, intent


REASON = Reason(code=Code.LEDGER_NOT_DURABLE, message="no disk", billed=False)


@pytest.mark.parametrize("own", [False, True])
def test_start_that_waits_takes_back_no_other_intent(line, own):
    """After a handover of Redis, or with a doubled message, two executions of one epoch may be at a start."""
    key = f"announced-{'here' if own else 'elsewhere'}"
    job, intent = announced(line, key, State.QUEUED)
    StartMoves(line.ledger, load_settings(), "al-test", [intent] if own else []).make(job, TryLater(REASON))
    now = line.ledger.load(key)
    assert (now.state, now.intent) == (("WAITING", None) if own else ("STARTING", intent))


@pytest.mark.parametrize("move", [TryLater(REASON), Refuse(REASON)])
def test_start_that_did_not_happen_leaves_no_intent_to_a_cancel(line, move):
    key = f"cancelled-beside-{type(move).__name__.lower()}"
    job, intent = announced(line, key, State.QUEUED)
    cancel_job(line.ledger, key, sender=FROM_TERMINAL)
    line.ledger.change(key, Change(next_epoch=True), epoch=1)
    StartMoves(line.ledger, load_settings(), "al-test", [intent]).make(job, move)
    now = line.ledger.load(key)
    assert (now.intent, now.stop_wish, now.is_terminal) == (None, "cancel", False)


def test_wait_after_a_refused_start_goes_on_since_its_beginning(line):
    created(line, "refused-again", State.QUEUED)
    rate = TryLater(refusal_reason(RateLimited("slower", status=429)))
    StartMoves(line.ledger, load_settings(), "al-test").make(line.ledger.load("refused-again"), rate)
    waiting = line.ledger.load("refused-again")
    assert (waiting.waiting_for, waiting.waiting_since is None) == ("platform-unavailable", False)
    intent = Intent(attempt=1, marker="m", at=line.ledger.now(), input_sha256=None)
    line.ledger.move(waiting, Event.START, Change(fields={"intent": intent, "waiting_since": None}))
    moves = StartMoves(line.ledger, load_settings(), "al-test", [intent])
    moves.make(waiting, rate)
    assert line.ledger.load("refused-again").waiting_since == waiting.waiting_since
    (found,) = _waiting(read_tally(line.ledger))
    assert "1 for platform-unavailable" in found.text


def test_job_whose_start_is_unclear_waits_for_no_earlier_cause(line):
    job, intent = announced(line, "unclear-now", State.WAITING, waiting_for=Code.CAPACITY)
    StartMoves(line.ledger, load_settings(), "al-test", [intent]).make(job, Unclear(intent, "no reply"))
    job = line.ledger.load("unclear-now")
    assert (job.state, job.waiting_for, next_step(job)) == ("WAITING", None, WAITS[Code.START_UNCLEAR])


def test_job_that_no_worker_takes_is_shown_with_that(line):
    created(line, "untaken", State.QUEUED)
    done = actorline(line, "show", "untaken")
    assert (done.code, done.out.startswith("QUEUED untaken")) == (0, True)
    assert "No control worker runs (never seen) and no fetch worker runs (never seen)." in done.err
    assert "`actorline up` continues" in done.err
