"""Parked jobs in the ledger: which of them have news after a list, and what a look at them costs."""

from datetime import UTC, datetime

import redis

from actorline.budgets.limits import Budgets
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job_reservation import reservation_of
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.parking import CARE_SECS, ParkedJob, ParkedRuns, Parking
from actorline.ledger.registration import NewJob
from actorline.platform.errors import PlatformUnavailable, RateLimited
from actorline.settings import Settings
from actorline.stages.watch.look_at_fleet import WAKES_MAX, ParkedJobs
from actorline.upkeep.hard_budgets import stop_spent_out

STARTED = 1_700_000_000.0


def park(ledger: Ledger, key: str, run_id: str, *, account: str = "default", epoch: int = 1, **facts) -> None:
    parked = {"run_status": "RUNNING", "started_at": STARTED, "every_s": 5.0, "deadline_at": None, **facts}
    ledger.redis.zadd(ledger.name("due"), {key: ledger.now() + 40})
    Parking(ledger).park(key, ParkedJob(account=account, epoch=epoch, run_id=run_id, **parked))


def listed(ledger: Ledger, statuses: dict[str, str], account: str = "default") -> ParkedRuns:
    """The account's parked runs after a complete list."""
    runs = ParkedRuns(ledger, account)
    began = runs.clock()
    runs.note_seen(statuses, began)
    runs.note_list(began)
    return runs


class Runs:
    """A platform whose list is the runs that are going on, by status."""

    def __init__(self, statuses: dict[str, str], *, usd: float = 0) -> None:
        self.statuses, self.usd = statuses, usd
        self.lists = 0

    def get_data(self, _path: str, params: dict[str, object]):
        self.lists += params["offset"] == 0
        started = datetime.fromtimestamp(STARTED, UTC).isoformat()
        facts = {"startedAt": started, "usageTotalUsd": self.usd}
        runs = [{"id": each, "status": status, **facts} for each, status in self.statuses.items()]
        return {"items": runs[int(str(params["offset"])) :]}


def test_jobs_whose_runs_a_list_shows_changed_have_news(ledger):
    for n, status in enumerate(["RUNNING", "RUNNING", "READY", "RUNNING"]):
        park(ledger, f"job-{n}", f"run{n}", run_status=status, epoch=n)
    runs = listed(ledger, {"run0": "RUNNING", "run2": "RUNNING", "run3": "TIMING-OUT", "other": "RUNNING"})
    assert runs.with_news(10) == {"job-1": 1, "job-2": 2, "job-3": 3}
    assert list(runs.with_news(2)) == ["job-1", "job-2"]


def test_the_longest_ago_seen_come_first(ledger):
    for key in ("a", "b", "c"):
        park(ledger, key, f"run-{key}")
    listed(ledger, {"run-a": "RUNNING", "run-c": "RUNNING"})
    listed(ledger, {"run-c": "RUNNING"})
    assert list(listed(ledger, {}).with_news(10)) == ["b", "a", "c"]


def test_job_that_is_parked_during_a_list_has_no_news_from_it(ledger):
    park(ledger, "early", "run1")
    runs = ParkedRuns(ledger, "default")
    began = runs.clock()
    park(ledger, "late", "run2")
    runs.note_seen({"run1": "RUNNING"}, began)
    runs.note_list(began)
    assert runs.with_news(10) == {}


def test_all_jobs_that_wait_for_a_run_have_its_news(ledger):
    for key in ("starter", "taker"):
        park(ledger, key, "shared")
    runs = listed(ledger, {})
    assert runs.with_news(10) == {"starter": 1, "taker": 1}
    Parking(ledger).unpark("starter")
    assert runs.with_news(10) == {"taker": 1}
    Parking(ledger).unpark("taker")
    assert (runs.with_news(10), ledger.redis.keys(ledger.name("parked_runs", "*"))) == ({}, [])


def test_job_that_saw_its_run_otherwise_leaves_no_news_behind(ledger):
    park(ledger, "starter", "shared", run_status="READY")
    park(ledger, "taker", "shared")
    Parking(ledger).unpark("starter")
    assert listed(ledger, {"shared": "RUNNING"}).with_news(10) == {}


def test_accounts_have_their_own_lists(ledger):
    park(ledger, "ours", "run1")
    park(ledger, "theirs", "run2", account="other")
    assert listed(ledger, {}).with_news(10) == {"ours": 1}
    assert ParkedRuns(ledger, "other").with_news(10) == {}


def test_job_that_was_parked_again_meanwhile_stays_parked(ledger):
    park(ledger, "again", "run1", epoch=2)
    Parking(ledger).unpark("again", epoch=1)
    assert listed(ledger, {}).with_news(10) == {"again": 2}


def test_what_an_earlier_version_parked_is_forgotten(ledger):
    park(ledger, "old", "run1")
    ledger.redis.hdel(ledger.name("parked"), "old")
    assert listed(ledger, {}).with_news(10) == {}
    assert not ledger.redis.exists(ledger.name("parked_runs", "default"), ledger.name("parked_keys", "default"))


def test_watched_jobs_are_left_alone_unless_something_is_planned(ledger):
    for key in ("watched", "cancelled", "parked-elsewhere"):
        park(ledger, key, f"run-{key}", account="far" if key == "parked-elsewhere" else "default")
    ledger.redis.hset(ledger.name("job", "cancelled"), "resume", 1)
    ledger.redis.zadd(ledger.name("due"), {"polled": 1.0, "watched": 1.0})
    park(ledger, "unseen", "run-unseen")
    ledger.redis.zrem(ledger.name("parked_runs", "default"), "run-unseen:RUNNING")  # as if an earlier version parked it
    ParkedRuns(ledger, "default").claim_list()
    began = ledger.now()
    keys = ["watched", "cancelled", "parked-elsewhere", "polled", "unseen"]
    assert Parking(ledger).without_watched(keys) == ["cancelled", "parked-elsewhere", "polled", "unseen"]
    assert ledger.redis.zscore(ledger.name("due"), "watched") >= began + CARE_SECS[0] - 2


def test_runs_are_listed_once_an_interval_whoever_looks(ledger):
    park(ledger, "slow", "run1", every_s=30.0)
    platform, parked, began = Runs({"run1": "RUNNING"}), ParkedJobs(ledger, Settings()), ledger.now()
    for _ in range(3):
        parked.look("default", platform)
        assert parked.with_news("default", 0) == {}
    assert platform.lists == 1
    next_look = ledger.redis.zscore(ledger.name("fleets"), "default")
    assert began + 27 < next_look < ledger.now() + 31


def test_runs_are_listed_no_sooner_than_the_platform_asks(ledger):
    park(ledger, "asked", "run1", every_s=2.0)
    began = ledger.now()

    class Refusing(Runs):
        def get_data(self, _path: str, params: dict[str, object]):
            super().get_data(_path, params)
            raise RateLimited("Too many requests", status=429, retry_after_s=50)

    platform, parked = Refusing({}), ParkedJobs(ledger, Settings())
    parked.look("default", platform)
    parked.with_news("default", 0)
    assert ledger.redis.zscore(ledger.name("fleets"), "default") > began + 48
    parked.look("default", platform)
    assert platform.lists == 1


def test_list_that_fails_after_its_interval_is_planned_again(ledger):
    park(ledger, "down", "run1")

    class Down(Runs):
        def get_data(self, _path: str, params: dict[str, object]):
            super().get_data(_path, params)
            ledger.redis.delete(ledger.name("listing", "default"))  # its interval is over
            raise PlatformUnavailable("no response")

    parked = ParkedJobs(ledger, Settings())
    parked.look("default", Down({}))
    assert parked.with_news("default", 0) == {}
    assert ledger.redis.zscore(ledger.name("fleets"), "default") < ledger.now() + 10


def test_many_that_end_together_come_as_fast_as_polls_are_done(ledger):
    jobs = WAKES_MAX + 50
    for n in range(jobs):
        park(ledger, f"job-{n}", f"run{n}", every_s=600.0)
    park(ledger, "neighbour", "run", account="other")
    platform, parked = Runs({}), ParkedJobs(ledger, Settings())
    parked.look("default", platform)
    taken: list[str] = []
    for waiting, wanted in ((0, WAKES_MAX // 2), (WAKES_MAX, 0), (100, 50), (0, 100)):
        news = parked.with_news("default", waiting)
        assert len(news) == wanted
        assert ledger.redis.zscore(ledger.name("fleets"), "default") <= ledger.now()  # the rest isn't left for later
        for key in news:
            Parking(ledger).unpark(key)
        taken += news
    assert taken == [f"job-{n}" for n in range(jobs)]
    assert parked.with_news("default", 0) == {}
    assert ledger.redis.zscore(ledger.name("fleets"), "default") is None
    assert platform.lists == 1


def test_look_reads_nothing_of_jobs_without_news(ledger, valkey):
    for n in range(1_000):
        park(ledger, f"job-{n}", f"run{n}")
    path = valkey.removeprefix("redis+socket://")
    client = redis.Redis(unix_socket_path=path, db=3, decode_responses=True, single_connection_client=True)
    parked = ParkedJobs(Ledger(client, ledger.namespace), Settings())
    before = client.client_info()["tot-net-out"]
    parked.look("default", Runs({f"run{n}": "RUNNING" for n in range(1_000)}))
    assert parked.with_news("default", 0) == {}
    assert int(client.client_info()["tot-net-out"]) - int(before) < 5_000
    client.close()


def test_listed_costs_reach_the_jobs_that_wait_for_the_runs(ledger):
    ledger.register([NewJob("spends", parse_document({"actor": "x"}), "file:///rows/", fresh=True)], due_in_s=100)
    ledger.runs.record("spends", 1, 1, "run0", states=set(State) - TERMINAL, due_in_s=5, found=False)
    park(ledger, "spends", "run0", epoch=ledger.load("spends").epoch)
    runs = ParkedRuns(ledger, "default")
    seen = []
    for cost_usd in (0.5, 0.505, 0.6):  # less than a cent more is not written
        runs.note_costs({"run0": cost_usd, "others": 7})
        seen.append(ledger.load("spends").run.cost_usd)
    assert seen == [0.5, 0.5, 0.6]
    ledger.change("spends", Change(fields={"epoch": 9}), epoch=None)
    runs.note_costs({"run0": 3})
    assert ledger.load("spends").run.cost_usd == 0.6


def test_list_stops_parked_runs_of_a_hard_budget_that_is_spent(ledger):
    hard = Budgets.model_validate({"account": {"default": {"daily_usd": 2, "hard": True}}})
    ledger.register([NewJob("spends", parse_document({"actor": "x"}), "file:///rows/", fresh=True)], due_in_s=100)
    reserved = {"reservation": reservation_of(ledger.load("spends"), hard, ledger.now())}
    ledger.change("spends", Change(fields=reserved), epoch=None)
    ledger.runs.record("spends", 1, 1, "run0", states=set(State) - TERMINAL, due_in_s=5, found=False)
    park(ledger, "spends", "run0", epoch=ledger.load("spends").epoch)
    ParkedJobs(ledger, Settings(budgets=hard)).look("default", Runs({"run0": "RUNNING"}, usd=1.99))
    assert stop_spent_out(ledger, hard) == []
    ledger.redis.delete(ledger.name("listing", "default"))  # the interval is over
    ParkedJobs(ledger, Settings(budgets=hard)).look("default", Runs({"run0": "RUNNING"}, usd=2.01))
    assert stop_spent_out(ledger, hard) == ["spends"]
