"""The project's own image, built once for all container tests, on a Docker Engine that must be there."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = "actorline:test"


@pytest.fixture(scope="session", autouse=True)
def _engine() -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], check=False, capture_output=True).returncode
    ):
        pytest.fail("No Docker Engine answers (`docker info`). Install or start one: these tests are never skipped.")


@pytest.fixture(scope="session")
def builder(_engine: None) -> dict[str, str]:
    """Environment of docker and compose: BuildKit where its client is installed, the classic builder elsewhere."""
    has_buildx = subprocess.run(["docker", "buildx", "version"], check=False, capture_output=True).returncode == 0
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("ACTORLINE_", "APIFY_", "FLOWER_"))
    }
    return {**own, "DOCKER_BUILDKIT": "1" if has_buildx else "0"}


@pytest.fixture(scope="session")
def build_image(builder: dict[str, str]) -> Callable[..., str]:
    """Builds a target of the Dockerfile in a folder, by default what it makes by itself, and returns its tag."""

    def build(tag: str, target: str | None = None, folder: Path = ROOT) -> str:
        command = ["docker", "build", "--tag", tag, *(["--target", target] if target else []), "."]
        done = subprocess.run(command, cwd=folder, env=builder, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return tag

    return build


@pytest.fixture(scope="session")
def actorline_image(build_image: Callable[..., str]) -> str:
    return build_image(IMAGE, "base")


@pytest.fixture(scope="session")
def parquet_image(build_image: Callable[..., str]) -> str:
    return build_image(f"{IMAGE}-parquet", "parquet")
