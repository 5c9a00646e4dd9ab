"""What `actorline` alone says before anything was ordered."""

import pytest
from typer.testing import CliRunner

from actorline.cli.app import app
from actorline.cli.overview import now_line
from actorline.jobs.states import State


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
