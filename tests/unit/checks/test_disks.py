"""What `doctor` says of the disks that jobs and rows are stored on."""

import pytest

from actorline.checks import disks
from actorline.checks.disks import check_disks
from actorline.settings import Settings


@pytest.mark.parametrize(
    ("redis_url", "sink", "stored"),
    [
        (None, "file://{folder}/not/yet/{{key}}/", ["Redis, logs, rows"]),
        (None, "s3://bucket/{{key}}/", ["Redis, logs"]),
        ("redis://127.0.0.1:1/0", "file://{folder}/rows-{{key}}/", ["rows"]),
        ("redis://127.0.0.1:1/0", "s3://bucket/{{key}}/", []),
        ("redis://127.0.0.1:1/0", "file:///proc/nowhere/{{key}}/", []),
        ("redis://127.0.0.1:1/0", "file://elsewhere/rows/{{key}}/", []),
    ],
)
def test_each_disk_is_named_once_with_what_is_stored_there(tmp_path, redis_url, sink, stored):
    settings = Settings(home=tmp_path / "home", redis_url=redis_url, sink_url=sink.format(folder=tmp_path))
    found = list(check_disks(settings))
    assert [finding.text.rpartition(" for ")[2] for finding in found] == stored
    assert all(finding.is_good and f"left at {tmp_path} " in finding.text for finding in found)


def test_little_room_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(disks, "LITTLE_BYTES", 10**18)
    (found,) = check_disks(Settings(home=tmp_path))
    assert (found.is_good, found.fix.startswith("Free some space there")) == (False, True)
