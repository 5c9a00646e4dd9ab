"""What the emulator's process says if it can't be started."""

import pytest

from actorline.emulator.__main__ import _read_profile, main, open_listener


def test_a_taken_port_is_told_in_words(capsys):
    with open_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert main(["--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"The emulator was not started: 127.0.0.1:{port} can't be listened on: Address already in use. "
        "Choose another port: --port PORT.\n"
    )


def test_a_profile_may_begin_with_a_byte_order_mark(tmp_path):
    profile = tmp_path / "profile.json"
    profile.write_bytes(b'\xef\xbb\xbf{"concurrent_runs": 7}')
    assert _read_profile(profile).concurrent_runs == 7


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "can't be read: No such file or directory."),
        ("{", "has mistakes: Invalid JSON: EOF while parsing an object at line 1 column 1"),
        ('{"acounts": {}}', "has mistakes: acounts: Extra inputs are not permitted"),
    ],
)
def test_a_profile_that_is_no_good_is_named(tmp_path, capsys, content, why):
    profile = tmp_path / "profile.json"
    if content is not None:
        profile.write_text(content)
    assert main(["--profile", str(profile)]) == 2
    assert capsys.readouterr().err == f"The emulator was not started: {profile} {why}\n"
