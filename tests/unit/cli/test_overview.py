"""What `actorline` alone says before anything was ordered."""

import pytest
from typer.testing import CliRunner

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
