"""Beat: each due time is ordered once, by two beats as by one, also when one is killed and when Redis is away."""

import json

import pytest
from beats import due_of, orders, running_beats
from real_parts import Line, make_line, running_workers, wait_for
from terminal import running_valkey

from actorline.schedules.book import Book
from actorline.schedules.decision import SchedulePosition
from actorline.schedules.schedules_file import load_schedules

pytestmark = pytest.mark.thorough

SCHEDULES = """
[schedules.often]
every_secs = 2
overlap = "allow"
document = {actor = "demo/beat-often", poll_interval_secs = 1}

[schedules.each-minute]
cron = "* * * * *"
timezone = "Europe/Prague"
document = {actor = "demo/beat-each-minute", poll_interval_secs = 1}
"""


def see_two_minutes_ago(line: Line, name: str) -> None:
    """As if a beat had seen the schedule two minutes ago: so the last full minute is due."""
    schedule = load_schedules(line.home / "schedules.toml")[name]
    assert Book(line.ledger).keep(name, None, SchedulePosition.begin(schedule, line.ledger.now() - 120))


@pytest.fixture(scope="module")
def beaten(valkey, emulator, tmp_path_factory):
    """A line after two beats, of which one was killed and another one started."""
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("beat"), "beat")
    for name in ("beat-often", "beat-each-minute"):
        emulator.actor(name, items=1, duration_secs=0)
    (line.home / "schedules.toml").write_text(SCHEDULES)
    see_two_minutes_ago(line, "each-minute")
    with running_workers(line, "all"):
        with running_beats(line, 2) as beats:
            wait_for(lambda: beats.log.count("Starting...") >= 2, what="both beats")  # one of them orders for both
            wait_for(lambda: len(orders(line, "often")) >= 2, what="two jobs of the interval")
            beats.kill(beats.processes[0])
            beats.start()
            so_far = len(orders(line, "often"))
            wait_for(lambda: beats.log.count("Starting...") >= 3, what="the third beat")
            wait_for(lambda: len(orders(line, "often")) >= so_far + 2, what="two more jobs")
        wait_for(
            lambda: {*orders(line, "often").values(), *orders(line, "each-minute").values()} == {"DELIVERED"},
            within=120,
            what="jobs that are done",
        )
        yield line, beats
    line.client.close()


@pytest.mark.parametrize("schedule", ["often", "each-minute"])
def test_beats_make_one_job_and_one_run_of_each_due_time(beaten, schedule):
    line, beats = beaten
    keys = list(orders(line, schedule))
    assert keys
    assert len(line.emulator.starts(f"demo/beat-{schedule}")) == len(keys)
    ordered = [json.loads(entry) for entry in beats.log.splitlines() if '"schedule_ordered"' in entry]
    created = [entry["job_key"] for entry in ordered if entry["created"] and entry["job_key"].startswith(schedule)]
    assert len(created) == len(set(created))  # the beat that was killed may not have said it of its last one
    assert set(created) <= set(keys)


def test_due_times_follow_from_the_schedule(beaten):
    line, _ = beaten
    often, each_minute = orders(line, "often"), orders(line, "each-minute")
    assert often
    assert each_minute
    assert all(due_of(key).timestamp() % 2 == 0 for key in often)
    assert all(due_of(key).second == 0 for key in each_minute)


def test_beats_that_have_gone_are_not_thought_to_be_there(beaten):
    line, beats = beaten
    assert len(beats.processes) == 2
    killed = 1  # it said no goodbye, so it is missed half a minute later
    assert len(Book(line.ledger).read().beats) <= killed


def test_what_was_due_while_redis_was_away_is_ordered_afterwards(emulator, short_folder, tmp_path):
    line = make_line(f"redis+socket://{short_folder}/s", emulator, tmp_path / "line", "away")
    emulator.actor("beat-each-minute", items=1, duration_secs=0)
    (line.home / "schedules.toml").write_text(SCHEDULES)
    with running_valkey(short_folder):
        see_two_minutes_ago(line, "each-minute")
    with running_beats(line, 1) as beats:
        wait_for(lambda: "schedules_wait" in beats.log, what="a beat without Redis")
        with running_valkey(short_folder):
            wait_for(lambda: orders(line, "each-minute"), what="the order of the last full minute")
            wait_for(lambda: orders(line, "often"), what="an order of the interval")
    assert beats.log.count("schedules_wait") <= 2  # said once an outage
    assert "Traceback" not in beats.log
    line.client.close()


def test_wrong_schedules_stop_beat_and_are_named(terminal, valkey):
    terminal.home.mkdir()
    (terminal.home / "schedules.toml").write_text(
        '[schedules.one]\ncron = "61 * * * *"\n[schedules.one.document]\nactor = "demo/rows"\n'
        '[schedules.two]\nevery_secs = 60\ntimezone = "Europe/Nowhere"\n[schedules.two.document]\nacter = "demo/rows"\n'
    )
    done = terminal("beat", ACTORLINE_REDIS_URL=valkey, ACTORLINE_NAMESPACE="wrong")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    for words in ("schedules.one.cron", "schedules.two.timezone", 'did you mean "actor"', "schedules nothing"):
        assert words in done.err
