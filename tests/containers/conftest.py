"""The project's own image, built once for all container tests, on a Docker Engine that must be there."""

import os
import shutil
import subprocess
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


def build_image(builder: dict[str, str], tag: str, target: str, folder: Path = ROOT) -> str:
    command = ["docker", "build", "--tag", tag, "--target", target, "."]
    build = subprocess.run(command, cwd=folder, env=builder, check=False, capture_output=True, text=True)
    assert build.returncode == 0, build.stdout[-4000:] + build.stderr[-4000:]
    return tag


@pytest.fixture(scope="session")
def actorline_image(builder: dict[str, str]) -> str:
    return build_image(builder, IMAGE, "base")


@pytest.fixture(scope="session")
def parquet_image(builder: dict[str, str]) -> str:
    return build_image(builder, f"{IMAGE}-parquet", "parquet")
