"""What `actorline` alone says before anything was ordered."""

import sys

import pytest
from typer.testing import CliRunner

from actorline.cli import main
from actorline.cli.app import app
from actorline.cli.overview import now_line, recent_lines, schedule_lines
from actorline.jobs.states import State
from actorline.ledger.admission.schedule_pauses import SchedulePause
from actorline.settings import load_settings

KEYS_AND_RUNS = [("first", "run-1"), ("takes-it-over", "run-1"), ("other", "run-2")]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ACTORLINE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ACTORLINE_REDIS_URL", raising=False)
    return tmp_path / "home"


def test_new_user_is_told_the_first_steps(home):
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 0
    assert "actorline demo" in done.output
    assert not home.exists()


@pytest.mark.parametrize("wrong", ["other users can write to it", "Not a directory"])
def test_home_that_cannot_be_used_is_told_at_once(home, monkeypatch, capsys, wrong):
    if wrong == "Not a directory":
        home.write_text("in the way")
    else:
        home.mkdir()
        home.chmod(0o1777)
    monkeypatch.setattr(sys, "argv", ["actorline"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = f"The home {home} can't be used: {wrong}. Set ACTORLINE_HOME to a writable folder of your own."
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (7, "")
    assert said in " ".join(printed.err.split())
    assert home.is_file() or list(home.iterdir()) == []


def test_last_failure_is_the_one_that_ended_last(make_job):
    jobs = [
        make_job(key="ordered-last", state=State.FAILED, ended_at=100.0),
        make_job(key="delivered-last", state=State.DELIVERED, ended_at=300.0),
        make_job(key="ended-last", state=State.CANCELLED, ended_at=200.0),
    ]
    _, last, how = recent_lines(jobs)
    assert last == "Last not delivered: ended-last is CANCELLED."
    assert "`actorline show ended-last`" in how


def test_live_jobs_are_counted_by_state():
    assert now_line({State.RUNNING: 3, State.WAITING: 0}) == "Now: 3 [cyan]RUNNING[/]"
    assert now_line({State.RUNNING: 0}) == "Now: nothing is running."


def test_a_run_that_two_jobs_collected_costs_once(make_job):
    jobs = [make_job(key=key, state=State.DELIVERED, run_id=run, cost_usd=0.01) for key, run in KEYS_AND_RUNS]
    assert next(recent_lines(jobs)).endswith(" 0 items, $0.0200.")


def test_a_paused_schedule_is_named_and_is_not_next(home):
    home.mkdir()
    rhythm = 'every_secs = {}\ndocument = {{actor = "demo/rows"}}\n'
    text = "".join(
        f"[schedules.{name}]\n" + rhythm.format(secs) for name, secs in (("by-minute", 60), ("hourly", 3600))
    )  # in a tie the first name is next
    (home / "schedules.toml").write_text(text)
    pauses = {"by-minute": SchedulePause(at=0.0, by="hand")}
    coming, paused = schedule_lines(load_settings(), pauses)
    assert coming.startswith("Next: hourly in ")
    assert paused == "Paused: by-minute. `actorline schedules list` says why, and what resumes it."
    (only,) = schedule_lines(load_settings(), {})
    assert only.startswith("Next: by-minute in ")
