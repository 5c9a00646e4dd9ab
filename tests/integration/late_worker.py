"""A worker that has loaded everything, and then waits for the file `go`: it is at work a moment after that."""

import sys
import time
from pathlib import Path

if __name__ == "__main__":
    from workers.__main__ import main
    from workers.app import app

    app.loader.import_default_modules()
    Path("loaded").touch()
    while not Path("go").exists():
        time.sleep(0.05)
    sys.exit(main(["worker", *sys.argv[1:]]))
