"""Beat: each due time is ordered once, by two beats as by one, also when Redis was away for a moment."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from real_parts import Emulator, Line, make_line, running_workers, wait_for
from terminal import running_valkey

SCHEDULES = """
[schedules.often]
every_secs = 2
[schedules.often.document]
actor = "demo/beat-often"
poll_interval_secs = 1

[schedules.each-minute]
cron = "* * * * *"
timezone = "Europe/Prague"
[schedules.each-minute.document]
actor = "demo/beat-each-minute"
poll_interval_secs = 1
"""


@contextmanager
def running_beats(line: Line, count: int) -> Iterator[list[Path]]:
    """So many beats side by side; answers their logs. They end at once when asked to."""
    logs = [line.home / f"beat-{number}.log" for number in range(count)]
    beats = []
    for log in logs:
        with log.open("wb") as file:
            command = [sys.executable, "-P", "-W", "ignore", "-m", "workers", "beat"]
            beats.append(subprocess.Popen(command, cwd=line.home, env=line.environment, stdout=file, stderr=file))
    try:
        yield logs
        assert [beat.poll() for beat in beats] == [None] * count
    finally:
        for beat in beats:
            beat.terminate()
        for beat in beats:
            assert beat.wait(10) == 0


def orders(line: Line, schedule: str) -> dict[str, str]:
    """Key -> state of the jobs that a schedule has made."""
    keys = [key.removeprefix("job:") for key in names(line) if key.startswith(f"job:{schedule}@")]
    return {key: line.state(key) for key in keys}


def names(line: Line) -> list[str]:
    return [name.removeprefix(f"{line.namespace}:") for name in line.ledger.redis.scan_iter(f"{line.namespace}:job:*")]


def due_times(keys: dict[str, str]) -> list[datetime]:
    return sorted(datetime.fromisoformat(key.partition("@")[2]) for key in keys)


@pytest.fixture(scope="module")
def two_beats(valkey: str, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line with a worker, after two beats have beaten past a full minute."""
    line = make_line(valkey, emulator, tmp_path_factory.mktemp("beat"), "beat")
    emulator.actor("beat-often", items=1, duration_secs=0)
    emulator.actor("beat-each-minute", items=1, duration_secs=0)
    (line.home / "schedules.toml").write_text(SCHEDULES)
    with running_workers(line, "all"):
        with running_beats(line, 2):
            wait_for(lambda: orders(line, "each-minute"), within=75, what="the job of a full minute")
            wait_for(lambda: len(orders(line, "often")) >= 3, what="three jobs of the interval")
        wait_for(lambda: {*orders(line, "often").values(), *orders(line, "each-minute").values()} == {"DELIVERED"},
                 within=60, what="jobs that are done")  # fmt: skip
        yield line
    line.client.close()


@pytest.mark.parametrize("schedule", ["often", "each-minute"])
def test_two_beats_make_one_job_and_one_run_of_each_due_time(two_beats, schedule):
    keys = orders(two_beats, schedule)
    assert all(key.endswith("Z") for key in keys)
    assert len(two_beats.emulator.starts(f"demo/beat-{schedule}")) == len(keys)
    logs = "".join(log.read_text() for log in two_beats.home.glob("beat-*.log"))
    created = [key for key in keys if f'"job_key": "{key}", "created": true' in logs]
    assert sorted(created) == sorted(keys)
    assert any(f'"job_key": "{key}", "created": false' in logs for key in keys)


def test_due_times_follow_from_the_schedule(two_beats):
    assert all(due.timestamp() % 2 == 0 for due in due_times(orders(two_beats, "often")))
    assert all(due.second == 0 for due in due_times(orders(two_beats, "each-minute")))


def test_what_was_due_while_redis_was_away_is_ordered_afterwards(emulator, short_folder, tmp_path):
    line = make_line(f"redis+socket://{short_folder}/s", emulator, tmp_path / "line", "away")
    emulator.actor("beat-away", items=1, duration_secs=0)
    (line.home / "schedules.toml").write_text(SCHEDULES.partition("[schedules.each-minute]")[0])
    with contextlib.ExitStack() as redis, running_beats(line, 1) as (log,):

        def owed() -> set[str]:
            waiting = [entry for entry in log.read_text().splitlines() if "schedule_waits" in entry]
            return {entry.partition('"job_key": "')[2].partition('"')[0] for entry in waiting}

        with running_valkey(short_folder):
            before = wait_for(lambda: orders(line, "often"), what="a first order")
        wait_for(lambda: len(owed()) >= 2, within=60, what="two due times that Redis didn't take")
        redis.enter_context(running_valkey(short_folder))
        wait_for(lambda: owed() <= orders(line, "often").keys(), what="what is owed, ordered")
        assert not owed() & before.keys()
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
    for words in ("schedules.one.cron", "schedules.two.timezone", 'did you mean "actor"', "Nothing is scheduled"):
        assert words in done.err
