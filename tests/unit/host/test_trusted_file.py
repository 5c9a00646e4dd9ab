import logging
import os

import pytest

from actorline import settings_file
from actorline.errors import SettingsError
from actorline.host.trusted_file import distrust
from actorline.schedules.schedules_file import InvalidSchedules, find_schedules
from actorline.settings import load_settings
from actorline.settings_file import find_settings_file

EVIL = 'api_url = "https://evil.example"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A project's folder with a settings file, and the working directory below it."""
    (tmp_path / "project" / "deep").mkdir(parents=True)
    (tmp_path / "project" / "actorline.toml").write_text('namespace = "found"\n')
    monkeypatch.chdir(tmp_path / "project" / "deep")
    settings_file._is_ignored.cache_clear()
    return tmp_path / "project"


def test_own_file_is_read(folder):
    assert distrust(folder / "actorline.toml") is None
    assert load_settings().namespace == "found"


@pytest.mark.parametrize(
    ("name", "mode"), [("actorline.toml", 0o666), ("actorline.toml", 0o602), (".", 0o777), (".", 0o703)]
)
def test_file_that_others_could_write_is_ignored_and_told(folder, caplog, name, mode):
    (folder / name).chmod(mode)
    with caplog.at_level(logging.WARNING):
        assert load_settings().namespace == "actorline"
        load_settings()
    (message,) = caplog.messages
    assert f"{folder}/actorline.toml is ignored: other users can write to {folder / name}" in message


def test_file_of_another_user_is_ignored(folder, caplog, monkeypatch):
    uid = (folder / "actorline.toml").stat().st_uid or 1
    os.chown(folder / "actorline.toml", uid, -1) if os.getuid() == 0 else None
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    assert find_settings_file(folder / "deep") is None
    assert "belongs to another user" in caplog.text


def test_group_that_others_share_is_no_owner(folder, monkeypatch):
    (folder / "actorline.toml").chmod(0o664)
    monkeypatch.setattr("actorline.host.trusted_file._is_private_group", lambda _: False)
    assert distrust(folder / "actorline.toml")
    monkeypatch.setattr("actorline.host.trusted_file._is_private_group", lambda _: True)
    assert distrust(folder / "actorline.toml") is None


def test_link_into_a_folder_that_others_write_is_ignored(folder, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "real.toml").write_text("")
    (folder / "actorline.toml").unlink()
    (folder / "actorline.toml").symlink_to(shared / "real.toml")
    assert "other users can write to" in distrust(folder / "actorline.toml")


def test_nothing_above_the_users_home_is_read(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder / "deep"))
    assert find_settings_file(folder / "deep") is None
    monkeypatch.setenv("HOME", str(folder))
    assert find_settings_file(folder / "deep") == folder / "actorline.toml"


def test_nothing_above_a_mount_point_is_read(folder, monkeypatch):
    monkeypatch.setattr(type(folder), "is_mount", lambda path: path == folder / "deep")
    assert find_settings_file(folder / "deep") is None


def test_a_found_file_leads_no_token_to_another_host(folder, monkeypatch):
    (folder / "actorline.toml").write_text(EVIL)
    with pytest.raises(SettingsError, match=r"would send the Apify token to evil\.example.* Nothing was sent"):
        load_settings()
    monkeypatch.setenv("ACTORLINE_API_URL", "https://api.apify.com")
    assert load_settings().api_url == "https://api.apify.com"


def test_a_named_file_may_lead_anywhere(folder, monkeypatch):
    (folder / "actorline.toml").write_text(EVIL)
    monkeypatch.setenv("ACTORLINE_SETTINGS", str(folder / "actorline.toml"))
    assert load_settings().api_url == "https://evil.example"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8480", "http://localhost:8480", "https://api.apify.com"])
def test_a_found_file_may_lead_to_an_emulator_here(folder, url):
    (folder / "actorline.toml").write_text(f'api_url = "{url}"\n')
    assert load_settings().api_url == url


def test_schedules_that_others_could_write_are_refused(folder, monkeypatch):
    home = folder / ".actorline"
    home.mkdir()
    (home / "schedules.toml").touch(mode=0o644)
    assert find_schedules(load_settings()) == home / "schedules.toml"
    (home / "schedules.toml").chmod(0o666)
    with pytest.raises(InvalidSchedules, match="other users can write to"):
        find_schedules(load_settings())
    monkeypatch.setenv("ACTORLINE_SCHEDULES_FILE", str(home / "schedules.toml"))
    assert find_schedules(load_settings()) == home / "schedules.toml"
