"""A command says what is missing, and soon: a person is waiting."""

import socket
import time

import pytest
from typer.testing import CliRunner

from actorline.cli import attach
from actorline.cli.app import app
from actorline.errors import Unavailable
from actorline.settings import Settings


def test_silent_redis_is_given_up_soon(monkeypatch):
    monkeypatch.setattr(attach, "PING_SECS", 0.3)
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = Settings(redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with pytest.raises(Unavailable, match="does not respond in time"):
            attach.open_ledger(settings, to_order=False)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("is_own", [True, False])
def test_redis_that_hangs_is_told_with_what_that_means(monkeypatch, short_folder, is_own):
    monkeypatch.setattr(attach, "PING_SECS", 0.3)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{short_folder}/valkey.sock")
        silent.listen()
        address = None if is_own else f"redis+socket://{short_folder}/valkey.sock"
        with pytest.raises(Unavailable) as told:
            attach.open_ledger(Settings(home=short_folder, redis_url=address), to_order=False, undone="Nothing ended.")
    where = f"see {short_folder}/logs/ and restart" if is_own else "Is ACTORLINE_REDIS_URL right"
    assert str(told.value).startswith("Redis can't be used: it does not respond in time. Nothing ended. ")
    assert where in str(told.value)
    assert ("ACTORLINE_REDIS_URL" in str(told.value)) is not is_own


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["jobs"], ""),
        (["show", "k"], ""),
        (["items", "k"], ""),
        (["watch"], ""),
        (["budgets"], ""),
        (["audit"], ""),
        (["accounts"], ""),
        (["keys", "list"], ""),
        (["ledger", "stats"], ""),
        (["accounts", "--moved", "shop"], "Nothing was changed. "),
        (["resume"], "Nothing was resumed: jobs still wait. "),
        (["forget", "k", "--yes"], "Nothing was removed. "),
        (["keys", "create", "k"], "No key was created. "),
        (["keys", "revoke", "k"], "No key was revoked. "),
        (["webhooks", "remove", "k"], "Nothing was changed. "),
        (["retry", "k"], "Nothing was started. "),
        (["retry", "--state", "FAILED"], "Nothing was started. "),
    ],
)
def test_what_was_not_done_is_what_the_command_does(monkeypatch, tmp_path, command, said):
    monkeypatch.setenv("ACTORLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ACTORLINE_REDIS_URL", "redis://127.0.0.1:1/0")
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, Unavailable)
    told = str(done.exception).removeprefix("Redis can't be used: ")
    where = "Is ACTORLINE_REDIS_URL right, and is Redis running? If it is unset, Actorline starts its own."
    assert told.partition(". ")[2] == f"{said}{where}"


def test_container_without_workers_is_not_blamed_on_its_home(tmp_path):
    (tmp_path / "file").touch()
    settings = Settings(redis_url="redis://elsewhere/0", home=tmp_path / "file" / "home")
    with pytest.raises(Unavailable, match=r"No worker replies on this Redis.* Start workers"):
        attach.open_home(settings)
    with pytest.raises(Unavailable, match="Set ACTORLINE_HOME to a writable folder"):
        attach.open_home(Settings(home=tmp_path / "file" / "home"))
