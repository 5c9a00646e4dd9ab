from collections.abc import Iterator

import pytest
import responses
from pydantic import SecretStr

from actorline.platform.client import Platform

TOKEN = "apify_api_wJ8kZ2"


@pytest.fixture
def waits() -> list[float]:
    """Every wait between attempts, in seconds; nothing sleeps."""
    return []


@pytest.fixture
def platform(waits: list[float]) -> Iterator[Platform]:
    platform = Platform("https://api.example.test", SecretStr(TOKEN), user_agent="actorline/test", sleep=waits.append)
    yield platform
    platform.close()


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    """Responses instead of the platform's; each one named must be asked for."""
    with responses.RequestsMock() as mock:
        yield mock
