"""The folder for what doesn't fit into memory: nothing stays on the disk, whatever dies."""

import subprocess
import sys

from actorline.delivery.changes.work_folder import work_folder


def test_folder_of_a_killed_process_is_removed_by_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dying = "import os, signal; from actorline.delivery.changes.work_folder import work_folder\n"
    dying += "with work_folder() as folder: (folder / 'rows').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", dying], env={"TMPDIR": str(tmp_path)}, check=False)
    (left,) = tmp_path.iterdir()
    with work_folder() as first, work_folder() as second:
        assert {first, second} == set(tmp_path.iterdir())
        assert left not in {first, second}
    assert list(tmp_path.iterdir()) == []
