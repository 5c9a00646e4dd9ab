"""A running process's log stays bounded."""

import subprocess
import sys

from workers.log_files import open_log, set_aside_long_logs

WRITER = "import sys\nfor line in sys.stdin: print(line.strip(), flush=True); print('ok', file=sys.stderr, flush=True)"


def test_a_long_log_is_set_aside_while_its_process_writes_on(tmp_path):
    folder = tmp_path / "logs"
    with open_log(folder, "fetch") as log:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.PIPE, text=True
        )

    def write(line: str) -> None:
        writer.stdin.write(f"{line}\n")
        writer.stdin.flush()
        assert writer.stderr.readline() == "ok\n"

    write("first")
    set_aside_long_logs(folder, most_bytes=100)
    assert sorted(file.name for file in folder.iterdir()) == ["fetch.log"]
    write("x" * 100)
    set_aside_long_logs(folder, most_bytes=100)
    write("last")
    writer.communicate()
    assert (folder / "fetch.log").read_text() == "last\n"
    assert (folder / "fetch.log.1").read_text().startswith("first\nxxx")
