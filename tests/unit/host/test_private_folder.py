import os
import stat

import pytest

from actorline.host.private_folder import make_private


def mode_of(folder):
    return stat.S_IMODE(folder.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_folder_is_closed_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        make_private(tmp_path / "home")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "home") == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o750])
def test_folder_that_was_open_is_closed(tmp_path, mode):
    folder = tmp_path / "home"
    folder.mkdir()
    folder.chmod(mode)
    make_private(folder)
    assert mode_of(folder) == 0o700


def test_folder_that_users_share_is_refused_and_left_alone(tmp_path):
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    with pytest.raises(PermissionError, match="other users can write to it"):
        make_private(folder)
    assert mode_of(folder) == 0o1777


def test_folder_of_another_user_is_refused_if_others_write(tmp_path, monkeypatch):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    make_private(folder)
    assert mode_of(folder) == 0o755
    folder.chmod(0o775)
    with pytest.raises(PermissionError, match="other users can write to it"):
        make_private(folder)
