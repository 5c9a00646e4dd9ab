import os
import stat

import pytest

from actorline.host.private_folder import check_private, make_private


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


@pytest.mark.parametrize("place", ["new", "new/below", "there"])
def test_look_at_a_usable_folder_changes_nothing(tmp_path, place):
    (tmp_path / "there").mkdir()
    (tmp_path / "there").chmod(0o755)
    check_private(tmp_path / place)
    assert [each.name for each in tmp_path.iterdir()] == ["there"]
    assert mode_of(tmp_path / "there") == 0o755


@pytest.mark.parametrize("place", ["shared", "file", "file/below"])
def test_look_finds_a_folder_that_cannot_be_used(tmp_path, place):
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"other users can write to it|Not a directory"):
        check_private(tmp_path / place)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("place", ["", "below"])
def test_look_finds_a_folder_that_may_not_be_written(tmp_path, place):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(PermissionError, match="Permission denied"):
        check_private(closed / place)


def test_folder_of_another_user_is_refused_if_others_write(tmp_path, monkeypatch):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    make_private(folder)
    assert mode_of(folder) == 0o755
    folder.chmod(0o775)
    with pytest.raises(PermissionError, match="other users can write to it"):
        make_private(folder)
