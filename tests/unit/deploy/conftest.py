import os
import shutil
import subprocess
from collections.abc import Callable

import pytest


@pytest.fixture
def promtool() -> Callable[..., None]:
    """Runs Prometheus's tool and wants it to be content. CI has it; elsewhere the test is skipped without it."""
    tool = shutil.which("promtool")
    if tool is None:
        assert "CI" not in os.environ, "CI tries the alerts: apt-get install prometheus"
        pytest.skip("there is no promtool: apt-get install prometheus")

    def run(*arguments: str) -> None:
        done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    return run
