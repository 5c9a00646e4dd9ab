import json
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from celery.canvas import Signature
from real_parts import wait_for

from actorline.delivery.page_plan import Window
from actorline.delivery.receipt import Receipt
from actorline.errors import Code, Unavailable
from actorline.jobs.allowance import Allowance
from actorline.jobs.attempt import next_attempt
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job import Job, StopWish
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import LIVE, TERMINAL, Event, State, sources
from actorline.jobs.step import Wait
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.admission.pause import is_paused, pause, resume
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.listing import list_jobs
from actorline.ledger.registration import NewJob, RegisterResult
from actorline.ledger.store import Store, connect
from actorline.ledger.stored_job import UnreadableJob
from actorline.orders.cancel import cancel_job
from actorline.orders.retry import retry_job
from actorline.platform.errors import PlatformUnavailable
from actorline.platform.runs import Run
from actorline.settings import Settings
from actorline.stages.watch.poll_run import Poller
from tasks.shell import canvas

ORDER = {"actor": "apify/x", "input": {"startUrls": ["é"]}, "labels": {"team": "shop"}}
NOTED = {"chain": None}
CALLER = {"id": "task-1", **NOTED}
RUN = Run.model_validate(
    {
        "id": "r1",
        "actId": "a",
        "status": "RUNNING",
        "startedAt": "2026-11-28T10:00:00Z",
        "buildId": "b",
        "defaultDatasetId": "d",
        "defaultKeyValueStoreId": "s",
        "meta": {"origin": "API"},
    }
)
WAITS = sources(Event.RUN_KNOWN)


def contents(ledger: Ledger) -> dict[str, Any]:
    """Everything in the database, by key, but what other tests have left to end by itself."""
    read: dict[str, Callable[[str], Any]] = {
        "string": ledger.redis.get,
        "hash": ledger.redis.hgetall,
        "set": ledger.redis.smembers,
        "zset": lambda key: ledger.redis.zrange(key, 0, -1, withscores=True),
        "stream": ledger.redis.xrange,
    }
    own = f"{ledger.namespace}:"
    keys = [key for key in ledger.redis.scan_iter() if key.startswith(own) or ledger.redis.ttl(key) == -1]
    return {key: read[ledger.redis.type(key)](key) for key in keys}


def register(ledger: Ledger, key: str = "k", document: Any = None, **options: Any) -> RegisterResult:
    given: dict[str, Any] = {"fresh": False, "sink": "file:///rows/k/", "caller": CALLER, **options}
    (registered,) = ledger.register([NewJob(key, document or parse_document(ORDER), **given)], due_in_s=10)
    return registered


def created(ledger: Ledger, key: str = "k", *, state: State = State.QUEUED, **fields: Any) -> Job:
    """A job in any state."""
    register(ledger, key)
    if state is not State.QUEUED or fields:
        ledger.change(key, Change(to=state, fields=fields), epoch=None)
    return loaded(ledger, key)


def loaded(ledger: Ledger, key: str = "k") -> Job:
    job = ledger.load(key)
    assert job
    return job


def events(ledger: Ledger, key: str = "k") -> list[str]:
    return [entry.event for entry in ledger.timeline.entries(key)]


def due_at(ledger: Ledger, key: str = "k") -> float | None:
    return ledger.redis.zscore(ledger.name("due"), key)


def due_in(ledger: Ledger, key: str = "k") -> float | None:
    score = due_at(ledger, key)
    return None if score is None else score - ledger.now()


def due_after(ledger: Ledger, act: Callable[[], object]) -> tuple[float, float] | None:
    """In how many seconds the job is due after an act: at least, and at most; some scripts count by whole seconds."""
    began = redis_time(ledger)
    act()
    ended, score = redis_time(ledger), due_at(ledger)
    return None if score is None else (score - ended, score - began)


def redis_time(ledger: Ledger) -> float:
    seconds, microseconds = ledger.redis.time()
    return seconds + microseconds / 1_000_000


@pytest.fixture
def same_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call is the repeat of the one before, as after a lost reply."""
    monkeypatch.setattr("actorline.ledger.ledger.call_token", lambda: "the-same")


# -- register


def test_an_order_becomes_a_job_with_its_input_apart(ledger):
    registered = register(ledger, fresh=True)
    assert registered == RegisterResult("created", parse_document(ORDER).body_hash, State.QUEUED)
    job = loaded(ledger)
    assert (job.key, job.state, job.epoch, job.attempt, job.fresh) == ("k", State.QUEUED, 1, 1, True)
    assert (job.sink, job.document_hash) == ("file:///rows/k/", registered.existing_hash)
    assert abs(job.queued_at - ledger.now()) < 60
    assert job.document == parse_document({**ORDER, "input": None})
    assert ledger.load_input("k") == '{"startUrls":["é"]}'.encode()
    assert ledger.account("k") == "default"
    assert events(ledger) == ["queued"]
    assert 0 < due_in(ledger) <= 10
    assert [key for key, _ in ledger.list_keys(State.QUEUED)] == ["k"]
    assert ledger.callers.of("k") == {"task-1": NOTED}
    assert ledger.callers.key_of("task-1") == "k"


def test_only_what_was_ordered_is_kept_of_a_document(ledger):
    """A field that a newer version adds would be a riddle to an older one that works beside it."""
    register(ledger)
    kept = json.loads(ledger.redis.hget(ledger.name("job", "k"), "document"))
    assert kept == {name: value for name, value in ORDER.items() if name != "input"}


def test_the_same_order_joins_and_adds_only_its_caller(ledger):
    register(ledger)
    ledger.change("k", Change(to=State.STARTING, next_epoch=True), epoch=1)
    before = contents(ledger)
    document = parse_document({**ORDER, "key": "k", "labels": {}, "notify": {}})
    joined = register(ledger, document=document, fresh=True, sink="file:///other/", caller={"id": "task-2"})
    assert joined == RegisterResult("joined", document.body_hash, State.STARTING)
    after = contents(ledger)
    assert ledger.callers.of("k") == {"task-1": NOTED, "task-2": {}}
    assert ledger.callers.key_of("task-2") == "k"
    for part in ("events:k", "due", "state:STARTING"):
        assert after[ledger.name(part)] == before[ledger.name(part)]
    job = after[ledger.name("job:k")]
    assert {name: job[name] for name in job if name not in {"joins", "last_join"}} == before[ledger.name("job:k")]
    assert job["joins"] == "1"


def test_another_order_under_the_key_leaves_no_trace(ledger):
    first = register(ledger)
    before = contents(ledger)
    conflict = register(ledger, document=parse_document({"actor": "other/x"}), caller={"id": "task-2"})
    assert conflict == RegisterResult("conflict", first.existing_hash, State.QUEUED)
    assert contents(ledger) == before


def test_an_order_whose_reply_was_lost_is_created_once(ledger, same_token):
    register(ledger)
    before = contents(ledger)
    assert register(ledger).outcome == "created"
    assert contents(ledger) == before


def test_dollars_whose_reply_was_lost_are_taken_once(ledger, same_token):
    taken = Allowance("web", 2_000_000_000, 3_000_000_000)
    assert ledger.spend(taken) == (True, 0)
    before = contents(ledger)
    assert ledger.spend(taken) == (True, 0)
    assert contents(ledger) == before


def test_of_two_orders_at_once_one_creates_the_job(ledger, valkey):
    outcomes = race(valkey, ledger, lambda own, number: register(own, caller={"id": f"task-{number}"}).outcome)
    assert sorted(outcomes) == ["created"] + ["joined"] * 7
    assert len(ledger.callers.of("k")) == 8
    assert events(ledger) == ["queued"]


def test_an_unknown_key_is_no_job(ledger):
    assert ledger.load("nobody") is None
    assert ledger.account("nobody") is None
    assert ledger.load_input("nobody") == b"{}"
    assert ledger.callers.key_of("nobody") is None


# -- change


def test_a_change_moves_the_job_its_due_and_its_timeline_at_once(ledger):
    created(ledger)
    epoch = ledger.change(
        "k",
        Change(
            to=State.STARTING,
            next_epoch=True,
            due_in_s=100,
            event="starting",
            data={"attempt": 1},
            on_disk=True,
            fields={"run_id": "r1", "adopted": True, "started_at": "@now", "sink": None},
        ),
        states={State.QUEUED},
        epoch=1,
    )
    job = loaded(ledger)
    assert epoch == job.epoch == 2
    assert (job.state, job.run.id, job.run.adopted, job.sink) == (State.STARTING, "r1", True, None)
    assert job.run.known_at
    assert abs(job.run.known_at - ledger.now()) < 60
    assert 50 < due_in(ledger) <= 100
    entry = ledger.timeline.entries("k")[-1]
    assert (entry.event, entry.data) == ("starting", {"attempt": 1})
    assert list(ledger.list_keys(State.QUEUED)) == []
    assert list(ledger.list_keys(State.STARTING)) == [("k", pytest.approx(job.queued_at, abs=0.001))]


@pytest.mark.parametrize(
    "wrong",
    [
        {"states": {State.RUNNING, State.WAITING}},
        {"states": TERMINAL},
        {"epoch": 2},
        {"epoch": 0},
        {"guards": {"run_id": "other"}},
        {"guards": {"run_id": "r1", "stop_wish": "cancel"}},
        {"guards": {"run_id": None}},
    ],
)
def test_a_change_that_is_too_late_changes_nothing(ledger, wrong):
    created(ledger, run_id="r1")
    before = contents(ledger)
    where = {"states": {State.QUEUED}, "epoch": 1, "guards": {"run_id": "r1"}, **wrong}
    guards = where.pop("guards")
    change = Change(
        to=State.STARTING, next_epoch=True, due_in_s=1, event="starting", fields={"failures": 3}, guards=guards
    )
    assert ledger.change("k", change, **where) is None
    assert contents(ledger) == before


def test_a_change_of_nobody_is_refused(ledger):
    assert ledger.change("nobody", Change(to=State.FAILED, due_in_s=5, event="x", fields={"a": 1}), epoch=None) is None
    assert not [key for key in contents(ledger) if key.startswith(ledger.namespace)]


@pytest.mark.parametrize("guards", [{"run_id": "r1"}, {"run_id": "r1", "stop_wish": None}, {}])
def test_a_change_whose_guards_hold_goes_through(ledger, guards):
    created(ledger, run_id="r1")
    assert ledger.change("k", Change(guards=guards, fields={"failures": 3}), epoch=1) == 1
    assert loaded(ledger).failures == 3


def test_a_change_whose_reply_was_lost_is_done_once(ledger, same_token):
    register(ledger)

    def start() -> int | None:
        return ledger.change(
            "k",
            Change(to=State.STARTING, next_epoch=True, event="starting", due_in_s=5),
            states={State.QUEUED},
            epoch=1,
        )

    ledger.redis.hset(ledger.name("job", "k"), "last_change", "an-earlier-one")
    assert start() == 2
    before = contents(ledger)
    assert start() == 2  # its state and epoch are wrong by now, but it is the one that made them so
    assert contents(ledger) == before


def test_a_change_sets_clears_or_leaves_the_due(ledger):
    created(ledger)
    before = due_at(ledger)
    ledger.change("k", Change(), epoch=1)
    assert due_at(ledger) == before
    for seconds in (0, 250):
        least, most = due_after(ledger, lambda seconds=seconds: ledger.change("k", Change(due_in_s=seconds), epoch=1))
        assert least - 1 <= seconds <= most + 1
    ledger.change("k", Change(due_in_s=None), epoch=1)
    assert due_at(ledger) is None


def test_the_same_state_again_keeps_its_place_in_the_listing(ledger):
    created(ledger)
    before = list(ledger.list_keys(State.QUEUED))
    ledger.change("k", Change(to=State.QUEUED), epoch=1)
    assert list(ledger.list_keys(State.QUEUED)) == before


def race(valkey: str, ledger: Ledger, act: Callable[[Ledger, int], Any], runners: int = 8) -> list[Any]:
    """The same thing done by several at once, each on its own connection."""
    barrier, responses = threading.Barrier(runners), []

    def run(number: int) -> None:
        client = connect(f"{valkey}?virtual_host=3")
        try:
            own = Ledger(client, ledger.namespace)
            client.ping()
            barrier.wait()
            responses.append(act(own, number))
        finally:
            client.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(runners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return responses


def test_of_many_changes_at_once_one_wins(ledger, valkey):
    created(ledger)
    epochs = race(
        valkey,
        ledger,
        lambda own, number: own.change(
            "k", Change(to=State.STARTING, next_epoch=True, event=f"starting-{number}"), states={State.QUEUED}, epoch=1
        ),
    )
    assert sorted(epochs, key=str) == [2] + [None] * 7
    assert len([event for event in events(ledger) if event.startswith("starting")]) == 1
    assert loaded(ledger).epoch == 2


@pytest.mark.parametrize("state", State)
def test_a_cancel_is_taken_in_every_state_but_the_ends(ledger, state):
    created(ledger, state=state)
    assert cancel_job(ledger, "k", sender=FROM_TERMINAL) is (state in LIVE)
    job = loaded(ledger)
    assert (job.stop_wish, job.state) == ("cancel" if state in LIVE else None, state)
    assert (due_in(ledger) < 1) is (state in LIVE)
    assert cancel_job(ledger, "nobody", sender=FROM_TERMINAL) is False


# -- runs


def record(ledger: Ledger, run_id: str = "r1", *, attempt: int = 1, epoch: int = 1, found: bool = False) -> bool:
    return ledger.runs.record("k", attempt, epoch, run_id, states=WAITS, due_in_s=50, found=found)


@pytest.mark.parametrize("state", sorted(WAITS))
@pytest.mark.parametrize("found", [False, True])
def test_a_job_that_waits_for_its_run_gets_it(ledger, state, found):
    created(ledger, state=state, intent='{"attempt":1,"marker":"m","at":1}', failures=2, is_planned=False)
    assert record(ledger, found=found) is True
    job = loaded(ledger)
    assert (job.state, job.run.id, job.run.status, job.run.adopted) == (State.RUNNING, "r1", "READY", found)
    assert (job.intent, job.failures, job.care.is_planned) == (None, 0, False)
    assert 20 < due_in(ledger) <= 50
    assert ledger.runs.of("k", 1) == ["r1"]
    assert ledger.runs.strays() == {}
    assert [key for key, _ in ledger.list_keys(State.RUNNING)] == ["k"]
    assert list(ledger.list_keys(state)) == []
    assert ledger.timeline.entries("k")[-1].data == {"run_id": "r1", "attempt": 1, "found": found}


@pytest.mark.parametrize("state", sorted(set(State) - WAITS))
def test_a_run_that_no_job_waits_for_is_kept_as_a_stray(ledger, state):
    created(ledger, state=state)
    before = loaded(ledger)
    assert record(ledger) is False
    assert ledger.runs.of("k", 1) == ["r1"]
    assert ledger.runs.strays() == {"r1": "k"}
    assert loaded(ledger) == before
    assert events(ledger)[-1] == "stray-run"
    ledger.runs.forget_stray("r1")
    assert ledger.runs.strays() == {}
    assert ledger.runs.of("k", 1) == ["r1"]


def test_a_second_run_of_the_job_is_a_stray_and_the_first_stays(ledger):
    created(ledger, state=State.STARTING)
    assert record(ledger, "r1")
    assert not record(ledger, "r2")
    assert loaded(ledger).run.id == "r1"
    assert ledger.runs.of("k", 1) == ["r1", "r2"]
    assert ledger.runs.strays() == {"r2": "k"}


def test_a_run_of_another_attempt_is_a_stray(ledger):
    created(ledger, state=State.STARTING, attempt=2)
    assert not record(ledger, attempt=1)
    assert (ledger.runs.of("k", 1), ledger.runs.of("k", 2)) == (["r1"], [])
    assert ledger.runs.strays() == {"r1": "k"}
    assert loaded(ledger).run.id is None


def test_the_late_reply_of_an_earlier_attempt_makes_no_stray(ledger):
    created(ledger, state=State.STARTING)
    assert record(ledger, found=True)
    ledger.change("k", Change(to=State.QUEUED, fields=next_attempt(loaded(ledger))), epoch=1)
    assert not record(ledger)
    assert ledger.runs.strays() == {}  # its cost is counted with the attempt's


def test_a_run_of_a_job_that_is_forgotten_is_a_stray(ledger):
    assert not record(ledger)
    assert ledger.runs.strays() == {"r1": "k"}
    assert ledger.load("k") is None


def test_a_stale_executions_run_is_the_jobs_but_not_its_to_poll(ledger):
    created(ledger, state=State.STARTING)
    ledger.change("k", Change(next_epoch=True), epoch=1)
    assert record(ledger, epoch=1) is False
    job = loaded(ledger)
    assert (job.state, job.run.id, job.care.is_planned) == (State.RUNNING, "r1", True)
    assert due_in(ledger) < 1
    assert ledger.runs.strays() == {}


def test_a_run_of_a_job_cancelled_meanwhile_is_due_at_once(ledger):
    created(ledger, state=State.STARTING)
    cancel_job(ledger, "k", sender=FROM_TERMINAL)
    assert record(ledger) is True
    job = loaded(ledger)
    assert (job.state, job.run.id, job.stop_wish, job.care.is_planned) == (State.RUNNING, "r1", "cancel", True)
    assert due_in(ledger) < 1


def test_a_run_id_whose_reply_was_lost_is_written_once(ledger):
    created(ledger, state=State.STARTING)
    assert record(ledger)
    before = contents(ledger)
    assert record(ledger)
    assert contents(ledger) == before


# -- polls


def test_a_poll_number_is_one_executions(ledger):
    created(ledger, state=State.RUNNING)
    assert ledger.claim_poll("k", 1, 0, "a")
    assert ledger.claim_poll("k", 1, 0, "a")  # its reply was lost
    assert not ledger.claim_poll("k", 1, 0, "b")  # the same message, doubled
    assert ledger.claim_poll("k", 1, 1, "b")
    assert not ledger.claim_poll("k", 1, 0, "a")  # overtaken
    assert not ledger.claim_poll("k", 2, 2, "c")  # another epoch
    assert not ledger.claim_poll("nobody", 1, 0, "a")


def test_a_poll_of_an_execution_that_died_can_be_taken_over(ledger, monkeypatch):
    created(ledger, state=State.RUNNING)
    monkeypatch.setattr("actorline.ledger.ledger.CLAIM_POLL_SECS", 0)
    assert ledger.claim_poll("k", 1, 0, "a")
    assert ledger.claim_poll("k", 1, 0, "b")


def test_a_finished_poll_is_free_until_the_next_is_due(ledger, monkeypatch):
    """However long the interval: a message that comes late must not begin a second row of polls."""
    job = created(ledger, state=State.RUNNING, run_id="r1", started_at="@now")
    monkeypatch.setattr("actorline.ledger.ledger.CLAIM_POLL_SECS", 0)
    responses = iter([PlatformUnavailable("503"), RUN])
    monkeypatch.setattr("actorline.stages.watch.poll_run.get_run", lambda *_: raised_or(next(responses)))
    poller = Poller(ledger, cast("Any", None), Settings())
    for number in (0, 1):
        assert poller.advance(ledger.claim_poll("k", job.epoch, number, "a")) == Wait(5)
        assert ledger.claim_poll("k", job.epoch, number, "b") is None


def raised_or(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise reply
    return reply


def test_one_of_many_executions_gets_the_poll(ledger, valkey):
    created(ledger, state=State.RUNNING)
    assert sum(map(bool, race(valkey, ledger, lambda own, number: own.claim_poll("k", 1, 0, str(number))))) == 1


# -- pages


def receipt(page_no: int = 0, scanned: int = 10, **more: Any) -> Receipt:
    fields = {"items": scanned, "bytes": 7 * scanned, "part": f"part-{page_no}", "sha256": "ab", **more}
    return Receipt(page_no=page_no, offset=10 * page_no, limit=10, scanned=scanned, **fields)


def timeless(stored: Any) -> Receipt:
    """A receipt without the time at which it was recorded."""
    assert isinstance(stored, Receipt)
    return stored.model_copy(update={"stored_at": None})


def counts(ledger: Ledger) -> tuple[int, int, int, int]:
    job = loaded(ledger)
    return job.collection.items, job.collection.scanned, job.collection.byte_count, job.collection.pages


def test_a_window_never_changes(ledger):
    created(ledger)
    first = Window(page_no=3, offset=30, limit=10)
    assert ledger.pages.fix("k", 1, first) == first
    assert ledger.pages.fix("k", 1, Window(page_no=3, offset=30, limit=20)) == first
    assert ledger.pages.all("k", 1) == {3: first}
    assert ledger.pages.all("k", 2) == {}


def test_pages_come_in_the_order_of_their_numbers(ledger):
    created(ledger)
    for page_no in (10, 2, 1):
        ledger.pages.fix("k", 1, Window(page_no=page_no, offset=page_no * 10, limit=10))
    ledger.pages.record("k", 1, receipt(2), due_in_s=5)
    assert list(ledger.pages.all("k", 1)) == [1, 2, 10]
    assert timeless(ledger.pages.all("k", 1)[2]) == receipt(2)
    assert ledger.now() - 60 < (ledger.pages.all("k", 1)[2].stored_at or 0) <= ledger.now()


def test_a_page_is_counted_once_and_its_first_receipt_stands(ledger):
    created(ledger, state=State.COLLECTING)
    first, second = receipt(sha256="first"), receipt(sha256="second", scanned=9)
    stored = [ledger.pages.record("k", 1, each, due_in_s=50) for each in (first, first, second)]
    assert [timeless(each) for each in stored] == [first] * 3
    assert len({each.stored_at for each in stored}) == 1
    assert counts(ledger) == (10, 10, 70, 1)
    assert 20 < due_in(ledger) <= 50


def test_one_of_many_receipts_counts(ledger, valkey):
    created(ledger, state=State.COLLECTING)
    stand = race(valkey, ledger, lambda own, number: own.pages.record("k", 1, receipt(sha256=str(number)), due_in_s=5))
    assert len({each.sha256 for each in stand}) == 1
    assert counts(ledger) == (10, 10, 70, 1)


def test_bad_receipts_and_empty_ends_count_nothing(ledger):
    created(ledger, state=State.COLLECTING)
    bad = receipt(scanned=0, part=None, error="cut", code=Code.PAGE_UNREADABLE)
    empty = receipt(scanned=0, part=None)
    for each in (bad, empty):
        assert timeless(ledger.pages.record("k", 1, each, due_in_s=5)) == each
    assert counts(ledger) == (0, 0, 0, 0)
    assert timeless(ledger.pages.record("k", 1, receipt(), due_in_s=5)) == receipt()
    assert timeless(ledger.pages.record("k", 1, bad, due_in_s=5)) == receipt()
    assert counts(ledger) == (10, 10, 70, 1)


def test_a_page_of_another_attempt_is_kept_and_not_counted(ledger):
    created(ledger, state=State.COLLECTING, attempt=2)
    assert timeless(ledger.pages.record("k", 1, receipt(), due_in_s=5)) == receipt()
    assert timeless(ledger.pages.all("k", 1)[0]) == receipt()
    assert counts(ledger) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("state", "stop_wish", "is_postponed"),
    [
        (State.COLLECTING, None, True),
        (State.COLLECTING, StopWish.CANCEL, False),
        (State.RUNNING, StopWish.GUARD, False),
        (State.RUNNING, None, False),
    ],
)
def test_a_receipt_postpones_only_a_job_that_collects(ledger, state, stop_wish, is_postponed):
    created(ledger, state=state)
    ledger.change("k", Change(fields={"stop_wish": stop_wish}, due_in_s=0 if stop_wish else 3_600), epoch=None)
    before = due_at(ledger)
    least, most = due_after(ledger, lambda: ledger.pages.record("k", 1, receipt(), due_in_s=50))
    assert least - 1 <= 50 <= most + 1 if is_postponed else due_at(ledger) == before


def test_a_receipt_wakes_no_job_that_needs_no_care(ledger):
    created(ledger, state=State.DELIVERED)
    ledger.change("k", Change(due_in_s=None), states=TERMINAL, epoch=None)
    ledger.pages.record("k", 1, receipt(), due_in_s=5)
    assert due_in(ledger) is None


# -- all jobs


def test_the_longest_overdue_job_is_cared_for_first(ledger):
    for key, due_in_s in {"late": -20, "later": -30, "soon": 60}.items():
        created(ledger, key)
        ledger.change(key, Change(due_in_s=due_in_s), epoch=1)
    assert ledger.agenda.due(10) == ["later", "late"]
    assert ledger.agenda.due(1) == ["later"]
    ledger.agenda.postpone("later", 60)
    ledger.agenda.make_due("soon")
    assert ledger.agenda.due(10) == ["late", "soon"]
    ledger.agenda.postpone("nobody", 0)
    assert "nobody" not in ledger.agenda.due(10)


def test_jobs_are_listed_the_newest_first_and_found_by_their_age(ledger):
    for key in ("a", "b", "c"):
        created(ledger, key)
    assert [key for key, _ in ledger.list_keys(State.QUEUED)] == ["c", "b", "a"]
    oldest = loaded(ledger, "a").queued_at
    assert ledger.retention.queued_before(State.QUEUED, oldest + 0.000_001, 5) == ["a"]
    assert ledger.retention.queued_before(State.QUEUED, oldest - 1, 5) == []


def test_a_caller_that_is_answered_is_forgotten(ledger):
    register(ledger)
    register(ledger, caller={"id": "task-2"})
    ledger.callers.forget("k", "task-1")
    assert ledger.callers.of("k") == {"task-2": {}}


def test_every_task_of_a_job_leads_to_it(ledger):
    register(ledger)
    ledger.callers.name_tasks("k", {"stage-1": "start_run", "stage-2": "poll_run"})
    assert [ledger.callers.key_of(task) for task in ("task-1", "stage-1", "stage-2")] == ["k", "k", "k"]
    ledger.callers.name_tasks("k", {"page-1": "", "stage-3": "poll_run"}, drop_stale=True)
    assert ledger.callers.stage_tasks("k") == {"start_run": "stage-1", "poll_run": "stage-3"}


def test_a_purged_job_leaves_nothing_and_takes_nothing_with_it(ledger):
    register(ledger, "other", caller={"id": "task-9"})
    ledger.callers.name_tasks("other", {"stage-9": ""})
    ledger.pages.fix("other", 1, Window(page_no=0, offset=0, limit=10))
    before = contents(ledger)
    created(ledger, "k", state=State.STARTING)
    record(ledger)
    ledger.callers.name_tasks("k", {"stage-1": "start_run"})
    for attempt in (1, 2):
        ledger.pages.fix("k", attempt, Window(page_no=0, offset=0, limit=10))
    ledger.timeline.add("k", "told", why="because")
    ledger.change("k", Change(to=State.DELIVERED, due_in_s=60, fields={"attempt": 2}), epoch=1)
    ledger.retention.forget(loaded(ledger))
    tally = ledger.name("tally")  # what came of all jobs, of those that are forgotten as well
    assert {**contents(ledger), tally: None} == {**before, tally: None}


def test_forgetting_a_job_is_safe_to_repeat(ledger, monkeypatch):
    before, run = contents(ledger), Store.run
    created(ledger, state=State.DELIVERED, ended_at="@now")
    monkeypatch.setattr(Store, "run", lambda *call: [run(*call), run(*call)][1])  # as after a lost reply
    assert ledger.retention.forget(loaded(ledger))
    assert {**contents(ledger), ledger.name("tally"): None} == {**before, ledger.name("tally"): None}


def test_a_job_set_going_again_meanwhile_is_not_forgotten(ledger):
    created(ledger, state=State.FAILED, ended_at="@now")
    ended = loaded(ledger)
    ledger.change("k", Change(to=State.QUEUED, fields={"ended_at": None}), states=TERMINAL, epoch=None)
    assert not ledger.retention.forget(ended)
    assert loaded(ledger).state is State.QUEUED
    assert ledger.callers.key_of("task-1") == "k"


def test_a_job_with_a_run_that_is_still_to_be_aborted_stays(ledger):
    created(ledger, state=State.STARTING)
    record(ledger)
    ledger.change("k", Change(to=State.FAILED), epoch=1)
    ledger.runs.add_stray("r1", "k")
    assert not ledger.retention.forget(loaded(ledger))
    ledger.runs.forget_stray("r1")
    assert ledger.retention.forget(loaded(ledger))


def test_the_next_epoch_forgets_old_tasks_but_no_caller(ledger):
    register(ledger)
    for number in range(50):
        ledger.callers.name_tasks("k", {f"stage-{number}": "poll_run"}, drop_stale=True)
    assert ledger.redis.hkeys(ledger.name("ids")) == ["task-1", "stage-49"]
    assert ledger.callers.task_ids("k") == {"task-1", "stage-49"}


def test_looks_for_full_pages_leave_one_task_however_many(ledger, monkeypatch):
    register(ledger)
    ledger.callers.name_tasks("k", {"stage-1": "poll_run", "page-1": ""})
    monkeypatch.setattr(canvas, "ledger", lambda: ledger)
    monkeypatch.setattr(Signature, "apply_async", lambda _: None)
    for _ in range(20):
        canvas.send_ahead("k", 1)
    last = ledger.callers.stage_tasks("k")["fetch_ahead"]
    assert ledger.callers.task_ids("k") == {"task-1", "stage-1", "page-1", last}
    assert set(ledger.redis.hkeys(ledger.name("ids"))) == {"task-1", "stage-1", "page-1", last}


def test_a_job_of_another_version_is_told_and_hides_no_other(ledger):
    created(ledger, "old")
    created(ledger, "new")
    for broken in ({"state": "DREAMING"}, {"document": '{"actor": "x", "dreams": true}'}):
        register(ledger, "strange")
        ledger.redis.hset(ledger.name("job", "strange"), mapping=broken)
        with pytest.raises(UnreadableJob, match="strange can't be read by this version"):
            ledger.load("strange")
        assert [job.key for job in list_jobs(ledger, limit=10).jobs] == ["new", "old"]


def test_a_forgotten_job_gets_no_new_timeline(ledger):
    ledger.timeline.add("gone", "stray-aborted")
    assert not ledger.redis.exists(ledger.name("events", "gone"))


def test_a_timeline_s_times_are_redis_s_own(ledger, monkeypatch):
    created(ledger)
    monkeypatch.setattr(ledger.timeline._store, "now", lambda: 0.0)  # a clock that is late
    ledger.timeline.add("k", "told")
    *_, before, told = [entry.at for entry in ledger.timeline.entries("k")]
    assert before < told


def test_the_timeline_is_kept_short(ledger, monkeypatch):
    monkeypatch.setattr("actorline.ledger.timeline.ENTRIES_MAX", 200)
    created(ledger)
    for number in range(700):
        ledger.timeline.add("k", "told", number=number)
    entries = ledger.timeline.entries("k")
    assert 200 <= len(entries) < 500
    assert entries[-1].data == {"number": 699}


# -- leases and the installation


def test_a_lease_is_one_executions_until_it_gives_it_back(ledger):
    first, second = ledger.lease("start", "k", seconds=600), ledger.lease("start", "k", seconds=600)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_a_lease_that_has_run_out_is_left_to_its_new_holder(ledger):
    first, second = ledger.lease("start", "k", seconds=0.05), ledger.lease("start", "k", seconds=60)
    assert first.acquire()
    wait_for(second.acquire, what="a lease that has run out")
    first.release()
    assert (first.owned(), second.owned()) == (False, True)


def test_an_installation_is_named_once(ledger):
    made = ledger.installation(None)
    assert made.startswith("al-")
    assert ledger.installation(None) == made
    assert ledger.installation(made) == made
    with pytest.raises(Unavailable, match=f"belongs to the installation {made}"):
        ledger.installation("another")


def test_a_configured_installation_is_the_ledgers(ledger):
    assert ledger.installation("shop-1") == "shop-1"
    assert ledger.installation(None) == "shop-1"


def test_a_document_survives_the_ledger(ledger):
    raw = {"dataset_id": "d1", "collect": {"limit": 5, "fields": ["a"]}, "deadline_secs": 60, "labels": {"a": "ü"}}
    document: JobDocument = parse_document(raw)
    register(ledger, document=document)
    assert loaded(ledger).document == document
    assert loaded(ledger).document.body_hash == document.body_hash


def test_a_request_is_obeyed_once_whatever_the_job_did_since(ledger):
    created(ledger, state=State.RUNNING)
    assert cancel_job(ledger, "k", request="first", sender=FROM_TERMINAL)
    ledger.change("k", Change(to=State.CANCELLED, fields={"stop_wish": None}), epoch=1)
    retry_job(ledger, "k", request="again", sender=FROM_TERMINAL)
    ledger.change("k", Change(to=State.FAILED), epoch=2)
    assert cancel_job(ledger, "k", request="first", sender=FROM_TERMINAL)
    retry_job(ledger, "k", request="again", sender=FROM_TERMINAL)
    job = loaded(ledger)
    assert (job.state, job.stop_wish, job.retries) == (State.FAILED, None, 1)
    retry_job(ledger, "k", request="once more", sender=FROM_TERMINAL)
    assert loaded(ledger).retries == 2


@pytest.mark.parametrize(
    ("run_status", "state", "collects"),
    [("SUCCEEDED", State.COLLECTING, True), (None, State.QUEUED, False)],
)
def test_only_a_retry_that_fetches_rows_begins_to_collect(ledger, run_status, state, collects):
    """By it a run's figures are known to be final: they aren't when a run that is yet to be started has ended."""
    created(ledger, state=State.FAILED, run_status=run_status, collecting_at=1.0)
    retry_job(ledger, "k", sender=FROM_TERMINAL)
    job = loaded(ledger)
    assert (job.state, (job.collection.started_at or 0) > 1) == (state, collects)
    assert (job.collection.started_at is not None) is collects


def test_an_account_has_one_spelling_in_old_entries_too(ledger):
    now, before = (JobDocument.model_validate({"actor": "x", "account": account}) for account in ("team", "Team"))
    assert now == before
    spelled = before.model_copy(update={"account": "Team"})  # as an earlier version kept it
    assert spelled.body_hash != now.body_hash
    register(ledger, "k", document=spelled)
    assert (loaded(ledger).document.account, ledger.account("k")) == ("team", "team")
    again = NewJob("k", now, "file:///rows/k/", fresh=False, earlier_hash=now.hash_as_spelled("Team"))
    assert [each.outcome for each in ledger.register([again], due_in_s=10)] == ["joined"]
    ledger.redis.sadd(ledger.name("paused"), "Team")
    assert is_paused(ledger, "team")
    pause(ledger, "TEAM")
    resume(ledger, "team")
    assert not is_paused(ledger, "Team")


def test_a_job_takes_little_of_redis(ledger):
    job = created(ledger, state=State.STARTING, sent_at=1.0)
    emptied = {"waiting_until": None, "waiting_since": None, "run_message": "", "missing_since": None}
    for number in range(4):
        change = Change(event=TimelineEvent.RUN_STATUS, data={"n": number}, fields={**emptied, "poll_no": number})
        ledger.change(job.key, change, epoch=None)
    assert not emptied.keys() & ledger.redis.hgetall(ledger.name("job", job.key)).keys()
    assert ledger.redis.memory_usage(ledger.name("events", job.key)) < 2_000  # 4,500 with Redis's default


def test_a_field_with_its_default_takes_no_room(ledger):
    job = created(ledger, state=State.STARTING, failures=3, vanished=True, adopted=True)
    record(ledger)
    assert not {"fresh", "failures", "adopted"} & ledger.redis.hgetall(ledger.name("job", job.key)).keys()
    ledger.change(job.key, Change(fields={"vanished": False, "items": 0, "items_total": 0}), epoch=None)
    stored = ledger.redis.hgetall(ledger.name("job", job.key))
    assert not {"vanished", "items"} & stored.keys()
    assert (stored["items_total"], loaded(ledger).collection.items_total) == ("0", 0)  # 0 isn't "not known"
