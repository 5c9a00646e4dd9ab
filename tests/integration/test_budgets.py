"""Budgets: no run is started beyond one, each dollar counts once, and who waits starts when there is room."""

import json
import secrets
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest
from gateway_process import Gateway, running_gateway
from real_parts import Line, running_workers, start_worker, wait_for
from terminal import actorline

from actorline.budgets.limits import Budgets
from actorline.budgets.reservation import NANO, Count, Entry, OwnBudget, batch_budget
from actorline.errors import Refused
from actorline.jobs.attempt import next_attempt
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job import Intent, Job, StopWish
from actorline.jobs.job_reservation import reservation_of
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import FROM_TERMINAL, Sender
from actorline.jobs.states import TERMINAL, Event, State
from actorline.jobs.times import iso_time
from actorline.ledger.admission.budgets import OverBudget
from actorline.ledger.admission.pause import pause
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.savings import read_savings
from actorline.ledger.queries.spending import read_spending
from actorline.ledger.registration import NewJob
from actorline.orders.estimate import Estimate, estimate
from actorline.orders.forget import forget_job
from actorline.orders.retry import retry_job
from actorline.platform.runs import FINAL_FIGURES_SECS, Run
from actorline.settings import Settings, load_settings
from actorline.stages.ending import end_job
from actorline.upkeep import abort_stray
from actorline.upkeep import settle as settled_figures
from actorline.upkeep.abort_stray import book_stray
from actorline.upkeep.hard_budgets import stop_spent_out

TEN_A_DAY = Budgets.model_validate({"account": {"default": {"daily_usd": 10}}, "assumed_run_usd": 4})
NOON = 1_764_331_200.0  # 2025-11-28 12:00 UTC
DAY = Entry(budget="account:default", period="2025-11-28")
MONTH = Entry(budget="account:default", period="2025-11")


def order(ledger: Ledger, key: str, *, budget: OwnBudget | None = None, **document: Any) -> Job:
    parsed = parse_document({"actor": "apify/x", **document})
    ledger.register([NewJob(key, parsed, "file:///rows/", fresh=False, budget=budget)], due_in_s=10)
    return loaded(ledger, key)


def loaded(ledger: Ledger, key: str) -> Job:
    job = ledger.load(key)
    assert job
    return job


def start(ledger: Ledger, key: str, budgets: Budgets = TEN_A_DAY, *, at: float = NOON) -> bool:
    """Announce a start as `stages/start/post.py` does."""
    job = loaded(ledger, key)
    fields: Any = {
        "intent": Intent(attempt=job.attempt, marker="m", at=at),
        "reservation": reservation_of(job, budgets, at),
    }
    return ledger.move(job, Event.START, Change(guards={"intent": None}, on_disk=True, fields=fields))


def run(ledger: Ledger, key: str, run_id: str) -> None:
    job = loaded(ledger, key)
    ledger.runs.record(key, job.attempt, job.epoch, run_id, states=set(State) - TERMINAL, due_in_s=5, found=False)


def write(ledger: Ledger, key: str, **fields: Any) -> None:
    assert ledger.change(key, Change(fields=fields), states=State, epoch=None)


def usd(ledger: Ledger, entry: Entry = DAY) -> tuple[float, float]:
    """What is spent and reserved."""
    (count,) = ledger.budgets.read([entry])
    return count.spent / NANO, count.reserved / NANO


def test_a_start_reserves_and_its_cost_takes_the_place(ledger):
    order(ledger, "a")
    assert start(ledger, "a")
    assert usd(ledger) == usd(ledger, MONTH) == (0, 4)
    run(ledger, "a", "r1")
    write(ledger, "a", cost_usd=1.25)
    assert usd(ledger) == (1.25, 2.75)
    write(ledger, "a", cost_usd=5)  # more than was assumed
    assert usd(ledger) == (5, 0)
    end_job(ledger, loaded(ledger, "a"), Event.FAIL, None, fields={"cost_usd": 5.5})
    write(ledger, "a", cost_usd=5.6, figures_settled=True)
    assert usd(ledger) == usd(ledger, MONTH) == (5.6, 0)


def test_a_reservation_stays_until_the_cost_has_settled(ledger):
    order(ledger, "a")
    start(ledger, "a")
    run(ledger, "a", "r1")
    end_job(ledger, loaded(ledger, "a"), Event.FAIL, None, fields={"cost_usd": 1})
    assert usd(ledger) == (1, 3)
    write(ledger, "a", cost_usd=1.5, figures_settled=True)
    assert usd(ledger) == (1.5, 0)


def settle(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, key: str, cost_usd: float | None) -> None:
    """Read the figures of an ended job again, as upkeep has it done."""
    found = Run.model_construct(id=loaded(ledger, key).run.id, status="FAILED", usage_total_usd=cost_usd)
    monkeypatch.setattr(settled_figures, "get_run", lambda *_: found)
    settled_figures.settle_figures(ledger, None, loaded(ledger, key), is_last=True)


def ended(ledger: Ledger, key: str, **fields: Any) -> None:
    """Order a job, and let it end with its run."""
    order(ledger, key)
    start(ledger, key)
    run(ledger, key, f"run-of-{key}")
    end_job(ledger, loaded(ledger, key), Event.FAIL, None, fields={"run_status": "FAILED", **fields})


@pytest.mark.parametrize(("known_usd", "spent"), [(1.5, 1.5), (0, 0)])
def test_a_cost_that_is_no_longer_told_stays(ledger, monkeypatch, known_usd, spent):
    ended(ledger, "a", cost_usd=known_usd)
    settle(ledger, monkeypatch, "a", None)
    assert (loaded(ledger, "a").run.cost_usd, loaded(ledger, "a").figures_settled) == (known_usd, True)
    assert usd(ledger) == usd(ledger, MONTH) == (spent, 0)


def test_a_run_of_unknown_cost_counts_with_its_reservation(ledger, monkeypatch):
    ended(ledger, "a")
    assert usd(ledger) == (0, 4)
    settle(ledger, monkeypatch, "a", None)
    assert usd(ledger) == usd(ledger, MONTH) == (4, 0)
    assert loaded(ledger, "a").total_cost_usd is None  # what is assumed isn't shown as a cost
    ended(ledger, "b")
    settle(ledger, monkeypatch, "b", None)
    order(ledger, "c")
    with pytest.raises(OverBudget):
        start(ledger, "c")
    settle(ledger, monkeypatch, "b", 1.25)  # it is known after all
    assert usd(ledger) == usd(ledger, MONTH) == (5.25, 0)
    assert start(ledger, "c")


def test_a_further_run_leaves_the_last_ones_assumed_cost(ledger):
    order(ledger, "a")
    start(ledger, "a")
    run(ledger, "a", "r1")
    assert ledger.move(loaded(ledger, "a"), Event.NEW_RUN, Change(fields=next_attempt(loaded(ledger, "a"))))
    assert usd(ledger) == (4, 0)
    assert start(ledger, "a", at=NOON + 86_400)
    run(ledger, "a", "r2")
    write(ledger, "a", cost_usd=1)
    assert usd(ledger) == (4, 0)
    assert usd(ledger, DAY.model_copy(update={"period": "2025-11-29"})) == (1, 3)
    assert book_stray(ledger, loaded(ledger, "a"), "r1", 0)
    assert usd(ledger) == (0, 0)
    assert usd(ledger, DAY.model_copy(update={"period": "2025-11-29"})) == (1, 3)


def test_a_job_whose_figures_are_given_up_counts_assumed(ledger):
    ended(ledger, "a")
    forget_job(ledger, loaded(ledger, "a"), "al-any", lambda _: None)
    assert (ledger.load("a"), usd(ledger)) == (None, (4, 0))


def test_a_second_run_counts_once_and_leaves_the_reservation(ledger):
    order(ledger, "a")
    start(ledger, "a")
    run(ledger, "a", "r1")
    before = loaded(ledger, "a")
    assert book_stray(ledger, before, "r2", 0.5)
    assert not book_stray(ledger, before, "r3", 0.25)  # the job has changed since it was loaded: again
    for run_id, cost_usd in (("r3", 0.25), ("r3", 0.25), ("r4", None), ("r5", 0)):
        assert book_stray(ledger, loaded(ledger, "a"), run_id, cost_usd)
    assert usd(ledger) == usd(ledger, MONTH) == (0.75, 4)
    end_job(ledger, loaded(ledger, "a"), Event.FAIL, None, fields={"cost_usd": 1})
    write(ledger, "a", cost_usd=1, figures_settled=True)
    assert (usd(ledger), loaded(ledger, "a").total_cost_usd) == ((1.75, 0), 1.75)
    assert read_spending(ledger, 0, accounts=None).total.usd == 1.75


@pytest.mark.parametrize("first_usd", [1, 0, None])
def test_a_retry_before_the_cost_has_settled_counts_it_later(ledger, monkeypatch, first_usd):
    order(ledger, "a")
    start(ledger, "a")
    run(ledger, "a", "r1")
    end_job(ledger, loaded(ledger, "a"), Event.CANCEL, None, fields={"cost_usd": first_usd, "run_status": "ABORTED"})
    retry_job(ledger, "a", sender=FROM_TERMINAL)
    spent = 4 if first_usd is None else first_usd  # what it has reserved, until its cost is known
    assert (loaded(ledger, "a").attempt, loaded(ledger, "a").total_cost_usd or 0) == (2, first_usd or 0)
    assert usd(ledger) == (spent, 0)
    start(ledger, "a")
    run(ledger, "a", "r2")

    def look(ended_at: float) -> None:
        ended = {"status": "ABORTED", "finished_at": datetime.fromtimestamp(ended_at, UTC)}
        found = Run.model_construct(id="r1", usage_total_usd=1.5, **ended)
        monkeypatch.setattr(abort_stray, "abort_run", lambda *_: found)
        abort_stray.abort_stray(ledger, "r1", accounts=(), open_platform=nullcontext)

    look(ledger.now() + 60)
    assert (usd(ledger), ledger.runs.strays()) == ((spent, 4), {"r1": "a"})
    look(ledger.now() - FINAL_FIGURES_SECS)
    assert (usd(ledger), ledger.runs.strays(), loaded(ledger, "a").total_cost_usd) == ((1.5, 4), {}, 1.5)
    assert ledger.timeline.entries("a")[-1].event == "figures-settled"
    assert read_savings(ledger, accounts=None).stopped == 0


def test_a_retry_that_broke_off_counts_the_last_run_when_repeated(ledger, monkeypatch):
    order(ledger, "a")
    start(ledger, "a")
    run(ledger, "a", "r1")
    end_job(ledger, loaded(ledger, "a"), Event.CANCEL, None, fields={"cost_usd": 1, "run_status": "ABORTED"})

    def die(*_: str) -> None:
        raise ConnectionError

    monkeypatch.setattr(ledger.runs, "add_stray", die)
    with pytest.raises(ConnectionError):
        retry_job(ledger, "a", sender=FROM_TERMINAL, request="again")
    monkeypatch.undo()
    assert (loaded(ledger, "a").attempt, ledger.runs.strays()) == (2, {})
    for _ in range(2):
        retry_job(ledger, "a", sender=FROM_TERMINAL, request="again")
        assert (loaded(ledger, "a").attempt, ledger.runs.strays()) == (2, {"r1": "a"})


def test_no_intent_is_written_beyond_the_budget(ledger):
    for key in ("a", "b", "c"):
        order(ledger, key)
    assert start(ledger, "a")
    assert start(ledger, "b")
    with pytest.raises(OverBudget) as over:
        start(ledger, "c")
    assert [entry.period for entry in over.value.full] == ["2025-11-28"]
    refused = loaded(ledger, "c")
    assert (refused.state, refused.intent, refused.reservation) == (State.QUEUED, None, None)
    assert usd(ledger) == usd(ledger, MONTH) == (0, 8)
    assert start(ledger, "c", at=NOON + 43_200)  # the day has turned
    assert usd(ledger) == (0, 8)
    assert usd(ledger, MONTH) == (0, 12)


def test_a_start_that_made_no_run_gives_its_room_back(ledger):
    order(ledger, "a")
    start(ledger, "a")
    write(ledger, "a", intent="")
    assert usd(ledger) == (0, 0)
    start(ledger, "a")
    end_job(ledger, loaded(ledger, "a"), Event.CANCEL, None)
    assert usd(ledger) == usd(ledger, MONTH) == (0, 0)


def test_a_further_run_counts_on_the_day_of_its_own_start(ledger):
    order(ledger, "a")
    start(ledger, "a")
    run(ledger, "a", "r1")
    write(ledger, "a", cost_usd=2)
    failed = loaded(ledger, "a")
    again = failed.model_copy(update={"run": failed.run.after({"cost_usd": 2.5})})
    assert ledger.move(failed, Event.NEW_RUN, Change(fields=next_attempt(again)))
    assert usd(ledger) == (2.5, 0)
    assert start(ledger, "a", at=NOON + 86_400)
    run(ledger, "a", "r2")
    write(ledger, "a", cost_usd=1)
    assert usd(ledger) == (2.5, 0)
    assert usd(ledger, DAY.model_copy(update={"period": "2025-11-29"})) == (1, 3)
    assert usd(ledger, MONTH) == (3.5, 3)


def test_all_budgets_of_a_job_have_room_or_none_reserves(ledger):
    budgets = Budgets.model_validate(
        {
            "account": {"default": {"daily_usd": 100}},
            "label": {"team": {"search": {"monthly_usd": 6}}},
        }
    )
    batch = batch_budget("shops", 1)
    for key in ("a", "b"):
        order(ledger, key, budget=batch, labels={"team": "search"}, options={"max_total_charge_usd": 0.6})
    assert start(ledger, "a", budgets)
    with pytest.raises(OverBudget) as over:
        start(ledger, "b", budgets)
    assert [entry.budget for entry in over.value.full] == ["batch:shops"]
    entries = loaded(ledger, "a").reservation.entries
    assert ledger.budgets.read(entries) == [Count(0, 600_000_000)] * 5


def test_a_repeated_script_reserves_once(ledger, monkeypatch):
    order(ledger, "a")
    job = loaded(ledger, "a")
    change = Change(to=State.STARTING, fields={"reservation": reservation_of(job, TEN_A_DAY, NOON)})
    monkeypatch.setattr("actorline.ledger.ledger.call_token", lambda: "same")
    for _ in range(3):
        assert ledger.change("a", change, epoch=1) == 1
    assert usd(ledger) == (0, 4)


@pytest.fixture
def budgeted(own_line, tmp_path):
    """A line whose account may spend a dollar a day."""
    return own_line(
        f"budget-{secrets.token_hex(3)}", budgets__account__default__daily_usd="1", budgets__assumed_run_usd="0.4"
    )


def spent_and_reserved(line: Line) -> tuple[float, float]:
    names = line.ledger.redis.keys(line.ledger.name("budget", "account:default", "????-??-??"))
    assert len(names) == 1
    return tuple(int(part or 0) / NANO for part in line.ledger.redis.hmget(names[0], "spent", "reserved"))


def check_doors(gateway: Gateway) -> None:
    """See that all doors say the same of a budget that has no room."""
    found = gateway.http.get("/v1/budgets").json()
    (over_http,) = found["budgets"]
    assert found["saved"] == asdict(read_savings(gateway.line.ledger, accounts=None))
    in_terminal, saved = map(json.loads, actorline(gateway.line, "budgets", "--json").out.splitlines())
    assert saved == {"saved": found["saved"]}
    assert (over_http["left_usd"], over_http["waiting"]) == (0.2, 1)
    assert over_http["spent_usd"] + over_http["reserved_usd"] == pytest.approx(0.8)
    assert over_http.keys() == in_terminal.keys()
    for shown in (over_http, in_terminal):
        assert (shown["budget"], shown["period"], shown["limit_usd"]) == ("account:default", "day", 1)
    limit = 'actorline_budget_usd{budget="account:default",kind="limit",period="day"} 1.0'
    assert limit in gateway.http.get("/metrics").text
    dry = gateway.http.post("/v1/jobs", params={"dry_run": 1}, json={"actor": "demo/thrifty"}).json()
    assert (dry["document"]["actor"], dry["reserves_usd"], dry["waits"][0]["code"]) == ("demo/thrifty", 0.4, "budget")
    assert "of $1.00 a day are spent or reserved" in actorline(gateway.line, "doctor").out


@pytest.mark.thorough
def test_jobs_wait_for_room_and_start_when_runs_cost_less(budgeted):
    slow = budgeted.emulator.actor("thrifty", items=1, duration_secs=600, usage_usd=0.1)
    with running_workers(budgeted, "control", "fetch"), running_gateway(budgeted) as gateway:
        document = {"actor": slow, "poll_interval_secs": 1}
        refused = budgeted.submit({**document, "options": {"max_total_charge_usd": 1.01}})
        orders = [budgeted.submit({"key": f"j{n}", **document}) for n in range(3)]
        waiting = wait_for(
            lambda: [n for n in range(3) if (job := budgeted.ledger.load(f"j{n}")) and job.waiting_for == "budget"],
            what="jobs that wait for the budget",
        )
        assert waiting
        job = budgeted.ledger.load(f"j{waiting[0]}")
        with pytest.raises(Exception, match="account:default allows"):  # JobRefused, which a service can't import
            refused.get(timeout=60)
        assert 0 < job.waiting_since < job.waiting_until
        shown = gateway.http.get(f"/v1/jobs/j{waiting[0]}").json()["waiting"]
        assert (shown["code"], shown["until"]) == ("budget", iso_time(job.waiting_until))
        check_doors(gateway)
        budgeted.emulator.actor("thrifty", items=1, duration_secs=0, usage_usd=0.1)
        budgeted.emulator.finish_runs_of(slow)
        assert [sent.get(timeout=120)["state"] for sent in orders] == ["DELIVERED"] * 3
        wait_for(lambda: spent_and_reserved(budgeted) == (0.3, 0), what="all costs to settle")
    assert len(budgeted.emulator.runs_of(slow)) == 3
    assert budgeted.ledger.redis.zcard(budgeted.ledger.name("budget_line", "account:default")) == 0


def past(ledger: Ledger, key: str, actor: str, cost_usd: float, **document: Any) -> None:
    """A job that ended some time ago."""
    order(ledger, key, **{"actor": actor, **document})
    run(ledger, key, f"run-{key}")
    facts: Any = {"cost_usd": cost_usd, "run_status": "SUCCEEDED", "items": 500}
    times: Any = {"run_started_at": "2025-11-28T10:00:00Z", "run_finished_at": "2025-11-28T10:03:00Z"}
    end_job(ledger, loaded(ledger, key), Event.FAIL, None, fields={**facts, **times})


def asked(ledger: Ledger, settings: Settings, **document: Any) -> Estimate:
    return estimate(
        {"actor": "apify/x", **document}, ledger=ledger, settings=settings, trusted=True, sender=FROM_TERMINAL
    )


def test_estimate_knows_what_ran_before_and_registers_nothing(ledger, tmp_path):
    settings = load_settings(home=tmp_path, budgets=TEN_A_DAY)
    for number in range(10):
        past(ledger, f"p{number}", "apify/x", 0.1 * (number + 1))
    past(ledger, "other", "apify/y", 100)
    past(ledger, "elsewhere", "apify/x", 100, account="other")
    before = ledger.redis.dbsize()
    found = asked(ledger, settings)
    assert (found.like_it.runs, found.like_it.cost_usd.p90, found.like_it.minutes.median) == (10, 0.9, 3)
    assert found.like_it.usd_per_1000_rows == pytest.approx(1.1)
    assert (found.runs, found.reserves_usd, found.refusals, found.waits) == (1, 4, [], [])
    assert [(room.budget, room.left_usd) for room in found.budgets] == [("account:default", 10)]
    assert asked(ledger, settings, actor="apify/z").like_it is None
    assert ledger.redis.dbsize() == before


@pytest.mark.parametrize(
    ("rights", "knows_runs", "budgets"),
    [
        (Rights(), True, ["account:default"]),
        (Rights(scopes=frozenset({Scope.SUBMIT})), False, []),
        (Rights(accounts=frozenset({"other"})), True, []),
    ],
    ids=["all", "no-read", "other-account"],
)
def test_estimate_shows_only_what_its_sender_may_see(ledger, tmp_path, rights, knows_runs, budgets):
    settings = load_settings(home=tmp_path, budgets=TEN_A_DAY)
    past(ledger, "p", "apify/x", 0.1)
    sender = Sender("http", "shop", rights=rights)
    found = estimate({"actor": "apify/x"}, ledger=ledger, settings=settings, trusted=False, sender=sender)
    assert (found.like_it is not None, [room.budget for room in found.budgets]) == (knows_runs, budgets)
    assert found.reserves_usd == 4


def test_estimate_says_what_would_be_refused_and_waited_for(ledger, tmp_path):
    settings = load_settings(home=tmp_path, budgets=TEN_A_DAY)
    order(ledger, "taken")
    pause(ledger)
    for key in ("a", "b"):
        order(ledger, key)
        assert start(ledger, key, at=ledger.now())
    conflict = asked(ledger, settings, key="taken", input={"a": 1})
    assert [reason.code for reason in conflict.refusals] == ["conflict"]
    assert asked(ledger, settings, key="taken").runs == 0
    waits = asked(ledger, settings)
    assert [reason.code for reason in waits.waits] == ["paused", "budget"]
    dear = asked(ledger, settings, options={"max_total_charge_usd": 11})
    assert [reason.code for reason in dear.refusals] == ["budget"]
    with pytest.raises(Refused, match="memory_mbytes"):
        asked(ledger, settings, options={"memory": 1})


@pytest.mark.parametrize("team", ["search", 'm\u00e4rkte "b"'])
def test_spent_hard_budget_stops_the_runs_that_count_there(ledger, monkeypatch, team):
    hard = Budgets.model_validate(
        {
            "account": {"default": {"daily_usd": 100}},
            "label": {"team": {team: {"daily_usd": 5, "hard": True}}},
        }
    )
    for key, labels in (("searching", {"team": team}), ("other", {})):
        order(ledger, key, labels=labels)
        assert start(ledger, key, hard, at=ledger.now())
        run(ledger, key, f"run-{key}")
        write(ledger, key, cost_usd=4.999999999)
    assert stop_spent_out(ledger, hard) == []
    write(ledger, "searching", cost_usd=5)
    read: list[str] = []
    load_many = ledger.load_many
    monkeypatch.setattr(ledger, "load_many", lambda keys: read.extend(keys) or load_many(keys))
    assert (stop_spent_out(ledger, hard), read) == (["searching"], ["searching"])
    assert loaded(ledger, "searching").stop_wish is StopWish.BUDGET
    assert stop_spent_out(ledger, hard) == []


@pytest.mark.thorough
def test_a_run_is_aborted_when_its_hard_budget_is_spent(own_line):
    line = own_line(
        f"hard-{secrets.token_hex(3)}",
        budgets__account__default__daily_usd="0.5",
        budgets__assumed_run_usd="0.4",
        budgets__account__default__hard="true",
    )
    endless = line.emulator.actor("endless-spender", items=1, duration_secs=600, usage_usd=120)
    with running_workers(line, "control", "fetch"):
        ordered = line.submit({"key": "spender", "actor": endless, "poll_interval_secs": 1})
        with pytest.raises(Exception, match="A hard budget of the job is spent"):  # JobCancelled
            ordered.get(timeout=120)
    assert line.state("spender") == "CANCELLED"
    assert [each["status"] for each in line.emulator.runs_of(endless)] == ["ABORTED"]


@pytest.mark.thorough
def test_no_crash_while_a_start_is_sent_exceeds_the_budget(own_line, faults):
    """Four runs of $0.30 that reserve $0.40 each: of a dollar, three may be started."""
    line = own_line(
        f"killed-{secrets.token_hex(3)}", budgets__account__default__daily_usd="1", budgets__assumed_run_usd="0.4"
    )
    actor = line.emulator.actor("killed-start", items=1, duration_secs=0, usage_usd=0.3)
    faults({"method": "POST", "action": "delay", "secs": 600, "path_regex": "killed-start/runs$"})
    keys = [f"k{number}" for number in range(4)]
    with running_workers(line, "control", "fetch") as workers:
        for key in keys:
            line.submit({"key": key, "actor": actor, "poll_interval_secs": 1})
        for _ in range(2):
            wait_for(lambda: "STARTING" in {line.state(key) for key in keys}, what="a start that is being sent")
            assert sum(spent_and_reserved(line)) <= 1
            workers[0].kill()
            workers[0].wait()
            workers[0] = start_worker("control", line)
        line.emulator.end_faults()
        wait_for(lambda: within_a_dollar(line) == (0.9, 0), what="three runs whose costs have settled")
        (left,) = [key for key in keys if line.state(key) != "DELIVERED"]
        wait_for(lambda: line.ledger.load(left).waiting_for == "budget", what="the fourth job to wait")
    assert len(line.emulator.runs_of(actor)) == 3


def within_a_dollar(line: Line) -> tuple[float, float]:
    spent, reserved = spent_and_reserved(line)
    assert round((spent + reserved) * NANO) <= NANO
    return spent, reserved
