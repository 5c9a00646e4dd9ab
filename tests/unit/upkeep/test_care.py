"""Care for jobs, on a ledger and an outbox that only note what they are told."""

from types import SimpleNamespace
from unittest.mock import Mock, call

import pytest

from actorline.delivery.sink import LocalSink
from actorline.jobs.states import State
from actorline.ledger.stored_job import UnreadableJob
from actorline.upkeep.care import FAILED_AGAIN_SECS, SETTLED_AT_ONCE, UNREADABLE_AGAIN_SECS, Care


@pytest.fixture
def ledger():
    return Mock()


@pytest.fixture
def care(ledger):
    return Care(ledger, "al-test", Mock(), lost_message_s=40)


def test_failure_of_one_job_does_not_stop_the_others(care, ledger):
    ledger.load.side_effect = [RuntimeError("x"), UnreadableJob("newer"), None]
    ledger.batches.read.return_value = None
    care.for_all(["broken", "newer", "gone"])
    assert ledger.agenda.postpone.call_args_list == [
        (("broken", FAILED_AGAIN_SECS),),
        (("newer", UNREADABLE_AGAIN_SECS),),
    ]
    assert [call.args for call in ledger.agenda.drop.call_args_list] == [("due", "gone"), ("batch_due", "gone")]


def test_failure_of_one_batch_does_not_stop_the_others(care, ledger, monkeypatch):
    found = Mock(side_effect=[RuntimeError("x"), UnreadableJob("newer"), SimpleNamespace(is_terminal=False)])
    monkeypatch.setattr("actorline.upkeep.care.load_batch", found)
    care.for_batches(["broken", "newer", "live"])
    care.outbox.send_batch.assert_called_once_with("live")
    ledger.agenda.drop.assert_not_called()  # for a worker that can read it


def test_figures_of_many_jobs_are_read_by_one_message(care, ledger, monkeypatch):
    monkeypatch.setattr("actorline.upkeep.care.secs_until_settled", lambda job, _: 0 if job.key != "later" else 7)
    monkeypatch.setattr("actorline.upkeep.care.empty_at", lambda _: {})
    monkeypatch.setattr("actorline.upkeep.care.open_sink", lambda _: None)
    ledger.load.side_effect = lambda key: SimpleNamespace(
        key=key, is_terminal=True, sink_url="file:///rows/", state="FAILED", awaits_figures=False
    )
    ledger.callers.of.return_value = {}
    care.outbox.send_notices.return_value = None
    keys = [f"k{number}" for number in range(SETTLED_AT_ONCE + 1)]
    care.for_all([*keys, "later"])
    assert care.outbox.send.call_args_list == [call("settle", *keys[:-1]), call("settle", keys[-1])]


@pytest.mark.parametrize(
    ("open_callers", "figures_in_s", "notice_in_s", "next_check_s"),
    [(0, None, None, None), (1, None, None, 15), (1, 7, 40, 7), (0, 0, 40, 20), (0, None, 40, 40)],
)
def test_ended_job_is_checked_again_when_the_first_thing_is_due(
    care, ledger, monkeypatch, open_callers, figures_in_s, notice_in_s, next_check_s
):
    monkeypatch.setattr("actorline.upkeep.care.secs_until_settled", lambda *_: figures_in_s)
    monkeypatch.setattr("actorline.upkeep.care.empty_at", lambda _: {})
    monkeypatch.setattr("actorline.upkeep.care.open_sink", lambda _: None)
    ledger.load.return_value = SimpleNamespace(
        key="k", is_terminal=True, sink_url="file:///rows/", state="FAILED", awaits_figures=False
    )
    ledger.callers.of.return_value = {f"caller-{number}": {} for number in range(open_callers)}
    care.outbox.is_answered.return_value = False
    care.outbox.send_notices.return_value = notice_in_s
    care.for_job("k")
    (key, change), _ = ledger.change.call_args
    assert (key, change.due_in_s) == ("k", next_check_s)


def test_figures_that_are_given_up_leave_what_was_reserved(care, ledger, make_job, monkeypatch):
    monkeypatch.setattr("actorline.upkeep.care.empty_at", lambda _: {})
    monkeypatch.setattr("actorline.upkeep.care.open_sink", lambda _: None)
    reserved = {"attempt": 1, "nano_usd": 4, "entries": [{"budget": "account:default", "period": "2025-11-28"}]}
    job = make_job(state=State.FAILED, ended_at=1_000.0, run_id="r1", reservation=reserved, sink="file:///rows/")
    ledger.load.return_value, ledger.now.return_value, ledger.callers.of.return_value = job, 2_000.0, {}
    care.outbox.send_notices.return_value = None
    care.for_job("k")
    assert ledger.change.call_args_list[0].args[1].fields == {
        "figures_settled": True,
        "assumed_costs": {"r1": job.reservation},
    }


def test_silent_folder_of_ended_jobs_is_waited_for_once(care, ledger, make_job, monkeypatch, hang):
    monkeypatch.setattr("actorline.upkeep.care.empty_at", lambda _: {})
    seen_before_it = []
    monkeypatch.setattr(LocalSink, "sweep", lambda *_: hang(seen_before_it.append(ledger.change.call_count)))
    ledger.load.side_effect = lambda key: make_job(key=key, state=State.FAILED, sink=f"file:///rows/{key}/")
    ledger.now.return_value = 2_000.0
    ledger.callers.of.return_value = {}
    care.outbox.send_notices.return_value = None
    care.for_all(["one", "two", "three"])
    assert [call.args[0] for call in ledger.change.call_args_list] == ["one", "two", "three"]
    assert seen_before_it == [1]  # the first one is no longer due when its folder is touched
    ledger.agenda.postpone.assert_not_called()
