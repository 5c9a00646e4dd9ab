"""What the ledger's scripts tally: each thing once, also if a script is repeated because its reply was lost."""

from typing import Any

import pytest
import structlog

from actorline.delivery.receipt import Receipt
from actorline.errors import Code, Reason
from actorline.jobs.attempt import next_attempt
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job import Intent, Job
from actorline.jobs.job_result import Waiting
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import TERMINAL, Event, State
from actorline.ledger.admission.pause import pause
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.queue_ages import Sample, note_ages, read_ages
from actorline.ledger.queries.savings import Savings, read_savings
from actorline.ledger.queries.tally import note_lengths, note_sweep, read_tally
from actorline.ledger.registration import NewJob
from actorline.orders.retry import retry_job
from actorline.stages.ending import end_job

FAILURE = Reason(code=Code.RUN_FAILED, message='It said "code":"auth".', billed=True)


def order(ledger: Ledger, key: str = "k") -> Job:
    ledger.register([NewJob(key, parse_document({"actor": "apify/x"}), "file:///rows/", fresh=False)], due_in_s=600)
    return loaded(ledger, key)


def loaded(ledger: Ledger, key: str = "k") -> Job:
    job = ledger.load(key)
    assert job
    return job


def fail(ledger: Ledger, key: str = "k", reason: Reason | None = FAILURE) -> None:
    end_job(ledger, loaded(ledger, key), Event.FAIL, reason)


def set_fields(ledger: Ledger, key: str = "k", **fields: object) -> None:
    assert ledger.change(key, Change(fields=fields), states=State, epoch=None)


def counts(ledger: Ledger, *without: str) -> dict[str, int]:
    found = read_tally(ledger).counts
    without = ("ended_ms:", "waiting:", "saved", *without)
    return {name: count for name, count in found.items() if not name.startswith(without)}


def waiting(ledger: Ledger) -> dict[str, int]:
    """How many jobs wait now, by code."""
    return {code: number for (code,), number in read_tally(ledger).counted("waiting").items() if number}


def cost_usd(ledger: Ledger) -> tuple[float, float]:
    """What the jobs cost, and the most that it ever was."""
    tally = read_tally(ledger)
    return tally.count("nano_usd") / 1e9, tally.count("most_nano_usd") / 1e9


def receipt(page_no: int = 0, **fields: Any) -> Receipt:
    given = {"offset": 0, "limit": 10, "part": "p", "items": 9, "scanned": 10, "bytes": 70, **fields}
    return Receipt(page_no=page_no, **given)


def test_a_ledger_without_jobs_has_an_empty_tally(ledger):
    tally = read_tally(ledger)
    assert tally.jobs == dict.fromkeys(State, 0)
    assert (tally.parked, tally.strays, tally.overdue_s, tally.paused) == (0, 0, 0, frozenset())
    assert (tally.queues, tally.sweep_age_s, tally.counts) == ({}, None, {})


def test_a_job_is_tallied_from_its_order_to_its_end(ledger):
    order(ledger)
    order(ledger)
    assert counts(ledger) == {"queued": 1}
    ledger.runs.record("k", 1, 1, "r1", states={State.QUEUED}, due_in_s=5, found=False)
    ledger.change("k", Change(to=State.COLLECTING), epoch=1)
    ledger.pages.record("k", 1, receipt(0), due_in_s=5)
    ledger.pages.record("k", 1, receipt(1, offset=10), due_in_s=5)
    end_job(ledger, loaded(ledger), Event.DELIVER, None)
    expected = {"queued": 1, "runs:started": 1, "items": 18, "bytes": 140, "pages": 2, "ended:DELIVERED:none": 1}
    assert counts(ledger) == expected
    ledger.retention.forget(loaded(ledger))
    assert counts(ledger) == expected
    assert sum(read_tally(ledger).jobs.values()) == 0


def test_what_is_repeated_for_a_lost_reply_is_tallied_once(ledger, monkeypatch):
    tokens = iter(f"{number // 2}" for number in range(100))  # each call comes twice
    monkeypatch.setattr("actorline.ledger.ledger.call_token", lambda: next(tokens))
    for _ in range(2):
        order(ledger)
    for _ in range(2):
        ledger.change("k", Change(to=State.WAITING, fields={"waiting_for": Code.CAPACITY}), epoch=1)
    assert waiting(ledger) == {"capacity": 1}
    for _ in range(2):
        ledger.runs.record("k", 1, 1, "r1", states={State.WAITING}, due_in_s=5, found=True)
    for _ in range(2):
        ledger.pages.record("k", 1, receipt(), due_in_s=5)
    assert waiting(ledger) == {}
    job = loaded(ledger)
    for _ in range(2):
        end_job(ledger, job, Event.FAIL, FAILURE, fields={"cost_usd": 0.25})
    assert counts(ledger) == {
        "queued": 1, "waits:capacity": 1, "runs:found": 1, "items": 9, "bytes": 70, "pages": 1,
        "ended:FAILED:run-failed": 1, "nano_usd": 250_000_000, "most_nano_usd": 250_000_000,
    }  # fmt: skip


def test_a_change_that_is_refused_tallies_nothing(ledger):
    order(ledger)
    before = counts(ledger)
    late = {"cost_usd": 1, "waiting_for": Code.CAPACITY}
    assert ledger.change("k", Change(to=State.FAILED, fields=late), epoch=7) is None
    assert ledger.change("k", Change(to=State.FAILED, guards={"run_id": "other"}, fields=late), epoch=1) is None
    assert counts(ledger) == before


@pytest.mark.parametrize(
    ("event", "reason", "tallied"),
    [
        (Event.FAIL, FAILURE, "ended:FAILED:run-failed"),
        (Event.FAIL, None, "ended:FAILED:none"),
        (Event.CANCEL, FAILURE.model_copy(update={"code": Code.CANCELLED}), "ended:CANCELLED:cancelled"),
        (Event.EXPIRE, FAILURE.model_copy(update={"code": Code.DEADLINE}), "ended:EXPIRED:deadline"),
    ],
)
def test_an_end_is_tallied_by_its_state_and_code(ledger, event, reason, tallied):
    order(ledger)
    end_job(ledger, loaded(ledger), event, reason)
    assert counts(ledger) == {"queued": 1, tallied: 1}


def test_a_retried_job_ends_again_and_its_time_starts_again(ledger):
    order(ledger)
    ledger.redis.hincrbyfloat(ledger.name("job", "k"), "queued_at", -1000)
    fail(ledger)
    first = read_tally(ledger).count("ended_ms:FAILED")
    assert 1_000_000 <= first < 1_060_000
    retry_job(ledger, "k", sender=FROM_TERMINAL)
    fail(ledger, reason=FAILURE.model_copy(update={"code": Code.AUTH}))
    assert counts(ledger) == {"queued": 1, "ended:FAILED:run-failed": 1, "ended:FAILED:auth": 1}
    assert read_tally(ledger).count("ended_ms:FAILED") - first < 60_000
    assert read_tally(ledger).counted("ended") == {("FAILED", "run-failed"): 1, ("FAILED", "auth"): 1}


def test_a_change_of_an_ended_job_is_no_further_end(ledger):
    order(ledger)
    fail(ledger)
    before = counts(ledger)
    ledger.change("k", Change(due_in_s=None, fields={"figures_settled": True}), states=TERMINAL, epoch=None)
    assert counts(ledger) == before


def test_the_cost_of_all_attempts_is_the_jobs_own(ledger):
    order(ledger)
    order(ledger, "other")
    set_fields(ledger, cost_usd=0.1)
    set_fields(ledger, cost_usd=0.3)
    set_fields(ledger, "other", cost_usd=1.5)
    ledger.runs.record("k", 1, 1, "r1", states={State.QUEUED}, due_in_s=5, found=False)
    fail(ledger)
    retry_job(ledger, "k", sender=FROM_TERMINAL)
    assert (loaded(ledger).attempt, loaded(ledger).total_cost_usd) == (2, 0.3)
    assert cost_usd(ledger) == (1.8, 1.8)
    set_fields(ledger, cost_usd=1e-05)
    assert loaded(ledger).total_cost_usd == 0.30001
    assert cost_usd(ledger) == (1.80001, 1.80001)


def test_a_cost_corrected_downwards_is_taken_from_the_next(ledger):
    for key in ("k", "other"):
        order(ledger, key)
    set_fields(ledger, cost_usd=0.5)
    set_fields(ledger, cost_usd=0.4)
    assert cost_usd(ledger) == (0.4, 0.5)
    set_fields(ledger, "other", cost_usd=0.05)
    assert cost_usd(ledger) == (0.45, 0.5)
    set_fields(ledger, "other", cost_usd=0.2)
    assert cost_usd(ledger) == (0.6, 0.6)


def test_each_order_that_joins_saves_what_the_job_costs(ledger, monkeypatch):
    order(ledger)
    set_fields(ledger, cost_usd=0.5)
    tokens = iter(["lost-reply", "lost-reply", "another"])
    with monkeypatch.context() as patch:
        patch.setattr("actorline.ledger.ledger.call_token", lambda: next(tokens))
        for _ in range(3):
            order(ledger)
    set_fields(ledger, cost_usd=0.75)  # as the run goes on
    saved = read_savings(ledger, accounts=None)
    assert (saved.joined, saved.joined_usd) == (2, 1.5)
    assert read_savings(ledger, accounts=["default"]) == saved
    assert read_savings(ledger, accounts=["shop"]) == Savings()


def test_many_small_costs_add_up_to_the_last_billionth(ledger):
    order(ledger)
    for number in range(1, 301):
        set_fields(ledger, cost_usd=number * 0.1 / 3)
    assert read_tally(ledger).count("nano_usd") == round(300 * 0.1 / 3 * 1e9)


def test_going_on_waiting_for_the_same_is_one_wait(ledger):
    order(ledger)
    for code in (Code.START_UNCLEAR, Code.START_UNCLEAR, Code.CAPACITY, Code.START_UNCLEAR):
        ledger.change("k", Change(to=State.WAITING, fields={"waiting_for": code}), epoch=1)
        ledger.change("k", Change(to=State.STARTING), epoch=1)
    assert counts(ledger, "queued") == {"waits:start-unclear": 2, "waits:capacity": 1}


def test_jobs_that_wait_are_counted_by_what_they_wait_for_now(ledger):
    for key in ("a", "b", "c"):
        order(ledger, key)
        ledger.change(key, Change(to=State.WAITING, fields={"waiting_for": Code.CAPACITY}), epoch=1)
    ledger.change("a", Change(to=State.WAITING, fields={"waiting_for": Code.PAUSED}), epoch=1)
    ledger.change("b", Change(fields={"patience": 3}), states={State.WAITING}, epoch=1)
    assert waiting(ledger) == {"capacity": 2, "paused": 1}
    fail(ledger, "a")
    ledger.change("b", Change(to=State.STARTING), epoch=1)
    assert waiting(ledger) == {"capacity": 1}


def test_job_that_searches_for_its_run_is_told_as_unclear(ledger):
    order(ledger)
    ledger.change("k", Change(to=State.WAITING, fields={"waiting_for": Code.CAPACITY}), epoch=1)
    intent = Intent(attempt=1, marker="m", at=1, sent_at=1_795_974_357)
    ledger.change("k", Change(fields={"waiting_for": None, "intent": intent}), states={State.WAITING}, epoch=1)
    assert waiting(ledger) == {"start-unclear": 1}
    told = Waiting.of(loaded(ledger))
    assert told == Waiting(code="start-unclear", since="2026-11-29T17:45:57.000Z", until=None)
    assert counts(ledger, "queued") == {"waits:capacity": 1}  # nobody is called for it
    ledger.runs.record("k", 1, 1, "r1", states={State.WAITING}, due_in_s=5, found=True)
    assert waiting(ledger) == {}


def test_a_run_that_two_jobs_know_is_one_run(ledger):
    for key in ("k", "other"):
        order(ledger, key)
        ledger.runs.record(key, 1, 1, "r1", states={State.QUEUED}, due_in_s=5, found=True)
    assert counts(ledger, "queued") == {"runs:found": 1}


def test_a_run_that_two_jobs_collect_costs_once(ledger):
    for key, cost in (("k", 0.25), ("other", 0.25)):
        order(ledger, key)
        ledger.runs.record(key, 1, 1, "r1", states={State.QUEUED}, due_in_s=5, found=True)
        ledger.change(key, Change(fields={"cost_usd": cost}), epoch=1)
        fail(ledger, key)
        set_fields(ledger, key, cost_usd=cost + 0.01)  # as it is when it has settled
    assert cost_usd(ledger) == (0.26, 0.26)
    set_fields(ledger, "other", **next_attempt(loaded(ledger, "other")))
    ledger.runs.record("other", 2, 1, "r2", states=set(State), due_in_s=5, found=False)
    set_fields(ledger, "other", cost_usd=0.5)
    assert loaded(ledger, "other").total_cost_usd == 0.76
    assert cost_usd(ledger) == (0.76, 0.76)


def test_a_page_that_fails_is_counted_until_it_is_stored(ledger):
    order(ledger)
    causes = ["the disk is full", "the disk is full", "line 17 is cut", "line 4 is cut"]
    with structlog.testing.capture_logs() as logged:
        for page_no, why in enumerate(causes):
            ledger.pages.note_failed("k", 1, page_no, why)
            ledger.pages.note_failed("k", 1, page_no, why)
    assert [line["message"] for line in logged] == ["the disk is full", "line 17 is cut"]
    assert (loaded(ledger).collection.failing_pages, loaded(ledger).collection.page_error) == (4, "line 4 is cut")
    ledger.pages.record("k", 1, receipt(0), due_in_s=5)
    ledger.pages.record("k", 1, receipt(0), due_in_s=5)
    ledger.pages.record("k", 1, receipt(1, items=0, scanned=0, code=Code.SINK_FAILED, error="full"), due_in_s=5)
    assert loaded(ledger).collection.failing_pages == 3


def test_what_is_overdue_stray_parked_and_paused_is_seen(ledger):
    for key in ("k", "other"):
        order(ledger, key)
    assert read_tally(ledger).overdue_s == 0
    ledger.redis.zincrby(ledger.name("due"), -1600, "other")
    ledger.runs.add_stray("r1", "k")
    ledger.redis.hset(ledger.name("parked"), "k", "{}")
    pause(ledger)
    pause(ledger, "second")
    tally = read_tally(ledger)
    assert 999 < tally.overdue_s < 1060
    assert (tally.jobs[State.QUEUED], tally.strays, tally.parked, tally.paused) == (2, 1, 1, {"*", "second"})


def test_what_upkeep_notes_is_seen_with_its_age(ledger):
    note_lengths(ledger, {"control": 3, "fetch": 0})
    note_sweep(ledger)
    ledger.redis.incrbyfloat(ledger.name("swept_at"), -1000)
    tally = read_tally(ledger)
    assert tally.queues == {"control": 3, "fetch": 0}
    assert 1000 <= tally.sweep_age_s < 1060


def test_queue_ages_are_kept_once_a_minute(ledger, monkeypatch):
    now = 1_800_000_000 // 60 * 60
    monkeypatch.setattr(ledger, "now", lambda: now + 1.5)
    ledger.redis.hset(ledger.name("empty"), mapping={"control": now - 40, "fetch": now - 1})
    lengths = {"control": 3, "fetch": 0, "doors": 2}
    for _ in range(2):
        note_ages(ledger, lengths)
    monkeypatch.setattr(ledger, "now", lambda: now + 30.0)
    note_ages(ledger, lengths)
    assert read_ages(ledger) == [Sample(now, {"control": 42, "fetch": 0})]
