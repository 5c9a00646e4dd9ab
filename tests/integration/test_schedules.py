"""Schedules: one decision a due time whoever makes it, and what becomes of one while the last job goes on."""

import json
import secrets
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from beats import due_of, orders, running_beats
from real_parts import Line, make_line, running_workers, wait_for

from actorline.batches.batch import load_batch
from actorline.identifiers import JobKey
from actorline.jobs.document.parse import parse_document
from actorline.jobs.states import State
from actorline.ledger.admission.schedule_pauses import pause_for_guard, pause_schedule, resume_schedule
from actorline.ledger.registration import NewJob
from actorline.schedules.book import Book
from actorline.schedules.decision import Outcome, SchedulePosition
from actorline.schedules.keeper import Keeper
from actorline.schedules.schedule import Schedule, due_key
from actorline.settings import load_settings
from workers.stack import has_leftover_schedules

OVERLAPS = {"skip": 5, "queue": 3, "cancel_running": 600, "allow": 60}  # how long its runs take, seconds
EVERY_SECS = {"skip": 2, "queue": 2, "cancel_running": 4, "allow": 2}

# -- real beats, real workers


@pytest.fixture(scope="module")
def overlapping(valkey, emulator, tmp_path_factory) -> Line:
    """A line on which two beats have ordered every few seconds what takes longer, each kind of overlap by itself."""
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("overlap"), "overlap")
    sections = []
    for overlap, duration_secs in OVERLAPS.items():
        actor = emulator.actor(f"overlap-{overlap}", items=1, duration_secs=duration_secs)
        sections.append(
            f'[schedules.{overlap}]\nevery_secs = {EVERY_SECS[overlap]}\noverlap = "{overlap}"\n'
            f'document = {{actor = "{actor}", poll_interval_secs = 1}}\n'
        )
    (line.home / "schedules.toml").write_text("".join(sections))
    with running_workers(line, "all"):
        with running_beats(line, 2):
            for overlap in OVERLAPS:
                wait_for(lambda o=overlap: len(runs(line, o)) >= 2, within=120, what=f"two runs of {overlap}")
        for overlap in OVERLAPS:
            for key in list(orders(line, overlap))[0 if overlap == "allow" else -1 :]:
                line.cancel(key)
        ends = {State.DELIVERED, State.CANCELLED}
        wait_for(
            lambda: ends.issuperset(state for overlap in OVERLAPS for state in orders(line, overlap).values()),
            what="jobs that have ended",
        )
        yield line
    line.client.close()


def runs(line: Line, overlap: str) -> list[dict]:
    """The runs of a schedule's Actor, the earliest first."""
    return sorted(line.emulator.runs_of(f"demo/overlap-{overlap}"), key=lambda run: run["startedAt"])


def pairs_side_by_side(line: Line, overlap: str) -> int:
    return sum(later["startedAt"] < earlier["finishedAt"] for earlier, later in pairwise(runs(line, overlap)))


@pytest.mark.thorough
@pytest.mark.parametrize("overlap", OVERLAPS)
def test_each_due_time_has_one_run_unless_cancelled_before(overlapping, overlap):
    jobs = [overlapping.ledger.load(key) for key in orders(overlapping, overlap)]
    started = [job.run.id for job in jobs if job.run.id]
    assert sorted(started) == sorted(run["id"] for run in runs(overlapping, overlap))
    assert len(started) == len(set(started)) == len(overlapping.emulator.starts(f"demo/overlap-{overlap}"))
    assert {job.state for job in jobs if not job.run.id} <= {"CANCELLED"}


@pytest.mark.parametrize("overlap", ["skip", "queue", "cancel_running"])
def test_no_run_starts_while_the_last_one_goes_on(overlapping, overlap):
    assert pairs_side_by_side(overlapping, overlap) == 0


def test_allow_runs_side_by_side(overlapping):
    assert pairs_side_by_side(overlapping, "allow") >= 1


def test_skip_leaves_out_what_was_due_while_a_job_runs(overlapping):
    first, second, *_ = (due_of(key) for key in orders(overlapping, "skip"))
    assert second - first >= timedelta(seconds=4)
    key = next(iter(orders(overlapping, "skip")))
    assert overlapping.events(key).count("schedule-skips") == 1
    assert Book(overlapping.ledger).read().entries["skip"].place.skipped is not None


def test_queue_orders_what_waited_after_the_last_job(overlapping):
    (first, second, *_), ledger = orders(overlapping, "queue"), overlapping.ledger
    ended_at, ordered_at = ledger.load(first).ended_at, ledger.load(second).queued_at
    assert due_of(first) < due_of(second)
    assert due_of(second).timestamp() <= ordered_at
    assert 0 <= ordered_at - ended_at < 60


def test_cancel_running_starts_the_next_after_a_confirmed_abort(overlapping):
    *cancelled, _ = orders(overlapping, "cancel_running")
    assert {overlapping.state(key) for key in cancelled} == {"CANCELLED"}
    assert {overlapping.events(key).count("cancel-asked") for key in cancelled} == {1}
    assert {run["status"] for run in runs(overlapping, "cancel_running")} == {"ABORTED"}


# -- beats in this process: their clock and their past are handed in


@pytest.fixture
def line(own_line):
    return own_line(f"book-{secrets.token_hex(4)}")


class Beat:
    """A beat in this process; `woken` are the keys of the jobs that it made."""

    def __init__(self, line: Line, name: str = "beat", **schedules: Schedule) -> None:
        settings = load_settings(home=line.home, redis_url=line.broker, namespace=line.namespace)
        self.woken: list[str] = []
        self.keeper = Keeper(schedules, line.ledger, settings, beat=name, wake=self.woken.append)
        self.look()

    def look(self) -> float:
        """Look until there is nothing more to do now."""
        while not (wait := self.keeper.look()):
            pass
        return wait


def schedule(overlap: str = "skip", catch_up: str = "none", enabled: bool = True, **rhythm) -> Schedule:
    document = {"actor": "demo/rows", "input": {"day": "{date}"}}
    return Schedule(
        **(rhythm or {"every_secs": 1}), overlap=overlap, catch_up=catch_up, enabled=enabled, document=document
    )


def hours_ago(line: Line, hours: float) -> tuple[datetime, Schedule]:
    """A due time so long ago, and what makes a schedule due then, once a day."""
    due = datetime.fromtimestamp(line.ledger.now() - hours * 3600, UTC).replace(second=0, microsecond=0)
    return due, {"cron": f"{due.minute} {due.hour} * * *"}


def set_back(line: Line, name: str, rhythm: dict, days: int = 3, **fields) -> None:
    """As if all that was due until so many days ago were decided."""
    place = SchedulePosition.begin(schedule(**rhythm), line.ledger.now() - days * 86_400)
    assert Book(line.ledger).keep(name, None, place.model_copy(update=fields))


def place_of(line: Line, name: str) -> SchedulePosition:
    return Book(line.ledger).read().entries[name].place


def test_schedules_whose_file_is_gone_are_left_to_a_beat(line):
    settings = load_settings(home=line.home, redis_url=line.broker, namespace=line.namespace)
    assert not has_leftover_schedules(settings)
    Beat(line, daily=schedule(every_secs=86_400))
    assert has_leftover_schedules(settings)
    Beat(line)  # without a file
    assert not has_leftover_schedules(settings)


def test_any_number_of_beats_order_each_due_time_once(line):
    beats = [Beat(line, f"beat-{number}", often=schedule("allow")) for number in range(4)]

    def beat_on(beat: Beat) -> None:
        while sum(len(each.woken) for each in beats) < 2:
            beat.keeper.look()

    threads = [threading.Thread(target=beat_on, args=(beat,)) for beat in beats]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    woken = [key for beat in beats for key in beat.woken]
    assert sorted(woken) == list(orders(line, "often"))


@pytest.mark.thorough
@pytest.mark.parametrize("by", ["hand", "guard"])
def test_paused_schedule_orders_nothing_until_it_is_resumed(line, by):
    pages = Schedule(every_secs=1, overlap="allow", on_guard="pause", document={"actor": "demo/rows"})
    beat = Beat(line, pages=pages)
    if by == "hand":
        pause_schedule(line.ledger, "pages")
    else:
        pause_for_guard(line.ledger, JobKey("pages@2026-11-23T02:00:00Z.000007"), "price is missing")
    beat.woken.clear()  # on a busy machine a due time comes before the pause
    wait_for(lambda: beat.look() and place_of(line, "pages").paused, what="a due time that passes")
    assert beat.woken == []
    assert resume_schedule(line.ledger, "pages")
    wait_for(lambda: beat.look() and beat.woken, what="the next due time")


@pytest.mark.thorough
def test_broken_contract_pauses_no_schedule_that_continues(line):
    pause_for_guard(line.ledger, JobKey("pages@2026-11-23T02:00:00Z"), "price is missing")
    beat = Beat(line, pages=schedule())
    wait_for(lambda: beat.look() and beat.woken, what="the next due time")


def test_due_time_may_order_a_batch(line):
    due, rhythm = hours_ago(line, 1)
    set_back(line, "pages", rhythm, seen=int(due.timestamp()), started=int(due.timestamp()), is_ordered=False)
    batch = {"template": {"actor": "demo/rows"}, "inputs": [{"day": "{date}"}, {"day": "{due}"}]}
    key = due_key("pages", due)
    assert Beat(line, pages=Schedule(**rhythm, batch=batch)).woken == [key]
    assert Beat(line, pages=Schedule(**rhythm, batch=batch)).woken == []
    lines = line.ledger.batches.listed(key).decode().splitlines()
    assert json.loads(lines[0]) == {"day": due.date().isoformat()}
    assert load_batch(line.ledger, key).state is State.QUEUED


@pytest.mark.parametrize("is_ordered", [False, True])
def test_unreadable_batch_of_a_schedule_stops_no_other(line, is_ordered):
    """As a beat meets it that works beside a newer one."""
    due, rhythm = hours_ago(line, 1)
    booked = {"seen": int(due.timestamp()), "started": int(due.timestamp()), "is_ordered": False}
    set_back(line, "pages", rhythm, **booked)
    pages = Schedule(**rhythm, batch={"template": {"actor": "demo/rows"}, "inputs": [{}]})
    assert Beat(line, pages=pages).woken == [due_key("pages", due)]
    line.ledger.redis.hset(line.ledger.name("batch", due_key("pages", due)), "state", "RESTING")
    if not is_ordered:  # as if that beat had died before it kept that it had ordered, and the file was changed
        entry = Book(line.ledger).read().entries["pages"]
        Book(line.ledger).keep("pages", entry, entry.place.model_copy(update={"is_ordered": False}))
        pages = Schedule(**rhythm, batch={"template": {"actor": "demo/changed"}, "inputs": [{}]})
    beat = Beat(line, pages=pages, often=schedule("allow"))
    wait_for(lambda: beat.look() and beat.woken, within=20, what="the other schedule's order")
    assert all(key.startswith("often@") for key in beat.woken)


def test_an_order_of_a_dead_beat_is_placed_by_the_next(line):
    due, rhythm = hours_ago(line, 1)
    decided = {"seen": int(due.timestamp()), "started": int(due.timestamp()), "is_ordered": False}
    set_back(line, "nightly", rhythm, **decided)
    assert Beat(line, nightly=schedule(**rhythm)).woken == [due_key("nightly", due)]
    assert Beat(line, nightly=schedule(**rhythm)).woken == []


def test_due_times_without_a_beat_are_dropped_and_booked(line):
    due, rhythm = hours_ago(line, 1)
    set_back(line, "nightly", rhythm)
    assert Beat(line, nightly=schedule(**rhythm)).woken == []
    assert place_of(line, "nightly").last == (due.timestamp(), Outcome.MISSED)


def test_the_last_missed_due_time_is_ordered_once_if_set(line):
    due, rhythm = hours_ago(line, 1)
    set_back(line, "nightly", rhythm)
    assert Beat(line, nightly=schedule(catch_up="last", **rhythm)).woken == [due_key("nightly", due)]
    assert Beat(line, nightly=schedule(catch_up="last", **rhythm)).woken == []
    assert list(orders(line, "nightly")) == [due_key("nightly", due)]
    assert json.loads(line.ledger.load_input(due_key("nightly", due))) == {"day": due.date().isoformat()}


@pytest.mark.parametrize("catch_up", ["none", "last"])
def test_a_new_or_changed_schedule_is_due_from_then_on(line, catch_up):
    _, rhythm = hours_ago(line, 1)
    _, other = hours_ago(line, 2)
    set_back(line, "changed", other)
    set_back(line, "off", rhythm)
    Beat(line, off=schedule(enabled=False, **rhythm))
    again = {name: schedule(catch_up=catch_up, **rhythm) for name in ("new", "changed", "off")}
    assert Beat(line, **again).woken == []
    assert {name: place_of(line, name).missed for name in again} == dict.fromkeys(again)


def test_due_times_are_those_of_redis_whatever_clock_a_beat_has(line, monkeypatch):
    an_hour_ago = time.time() - 3600
    monkeypatch.setattr("time.time", lambda: an_hour_ago)
    beat = Beat(line, often=schedule("allow"))
    wait_for(lambda: beat.look() and beat.woken, within=120, what="an order")
    assert abs(due_of(beat.woken[0]).timestamp() - line.ledger.now()) < 600


def test_an_order_that_is_refused_holds_up_nothing_and_is_told(line):
    due, rhythm = hours_ago(line, 0.05)
    set_back(line, "nightly", rhythm)
    bad = Schedule(**rhythm, document={"actor": "demo/rows", "sink": {"url": "file:///" + "long/" * 200 + "{key}/"}})
    beat = Beat(line, nightly=bad, often=schedule())
    wait_for(lambda: beat.look() and beat.woken, within=120, what="the other schedule's order")
    place = place_of(line, "nightly")
    assert place.last == (due.timestamp(), Outcome.REFUSED)
    assert "characters" in place.reason
    assert orders(line, "nightly") == {}


def test_a_job_with_a_schedules_key_that_no_beat_ordered_is_told(line, capsys):
    """It is no earlier order of the schedule's own, whatever its key: the night's run is not there."""
    due, rhythm = hours_ago(line, 0.05)
    taken = parse_document({"actor": "demo/other"})
    line.ledger.register([NewJob(due_key("nightly", due), taken, "file:///rows/", fresh=False)], due_in_s=100)
    set_back(line, "nightly", rhythm)
    beat = Beat(line, nightly=schedule("cancel_running", **rhythm))
    place = place_of(line, "nightly")
    assert (beat.woken, place.last) == ([], (due.timestamp(), Outcome.REFUSED))
    assert "schedule_key_taken" in capsys.readouterr().out
    assert line.ledger.load(due_key("nightly", due)).stop_wish is None


def test_an_earlier_version_of_the_file_may_have_ordered_it(line):
    due, rhythm = hours_ago(line, 0.05)
    set_back(line, "nightly", rhythm)
    earlier = Beat(line, nightly=schedule(**rhythm))
    assert earlier.woken == [due_key("nightly", due)]
    entry = Book(line.ledger).read().entries["nightly"]  # as if it had died before it kept that it had ordered
    Book(line.ledger).keep("nightly", entry, entry.place.model_copy(update={"is_ordered": False}))
    changed = Schedule(**rhythm, document={"actor": "demo/changed"})
    assert Beat(line, nightly=changed).woken == []
    assert place_of(line, "nightly").last == (due.timestamp(), Outcome.ORDERED)


def test_a_beat_shows_until_it_leaves(line):
    beat = Beat(line, "host:1", often=schedule())
    assert Book(line.ledger).read().beats == ["host:1"]
    beat.keeper.leave()
    assert Book(line.ledger).read().beats == []
