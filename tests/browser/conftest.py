"""One browser and one gateway with jobs in many states, for all tests of the pages."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import Gateway
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parent))

from chromium import find_chromium, running_chromium
from populated import populated


@pytest.fixture(scope="session")
def site(valkey: str) -> Iterator[Gateway]:
    with populated(valkey) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if find_chromium() is None:
        pytest.skip("there is no Chromium: apt install chromium")
    with running_chromium() as browser:
        yield browser
