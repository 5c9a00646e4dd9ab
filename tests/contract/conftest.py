"""Prism between Actorline and the emulator, and the check after a test that nothing broke the document."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from openapi import DOCUMENT, MISSING, OpenApi
from prism import Prism, running_prism
from real_parts import TOKEN, Emulator, Line, make_line, running_workers


@pytest.fixture(scope="session")
def openapi() -> OpenApi:
    if not DOCUMENT.is_file():
        pytest.fail(MISSING)
    return OpenApi.read()


@pytest.fixture(scope="session")
def prism(openapi: OpenApi, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    with running_prism(emulator.url, tmp_path_factory.mktemp("prism") / "log") as prism:
        yield prism


@pytest.fixture(scope="session")
def line(valkey: str, emulator: Emulator, prism: Prism, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A line whose workers know only Prism's address; the tests look at the emulator itself."""
    home, settings = tmp_path_factory.mktemp("line"), {"public_url": "http://127.0.0.1:9"}  # each start has a webhook
    line = make_line(valkey, replace(emulator, url=prism.url), home, "contract", **settings)
    with running_workers(line, "control", "fetch"):
        yield replace(line, emulator=emulator)
    line.client.close()


@pytest.fixture
def document_is_kept(prism: Prism, openapi: OpenApi, emulator: Emulator) -> Iterator[None]:
    before = len(emulator.requests())
    prism.checked()
    yield
    checked = prism.checked()
    assert checked.violations == [], "what exactly broke the document, Prism says in its response, and without --errors"
    assert checked.requests != [], "nothing passed through Prism"
    assert list(openapi.unknown_parameters(emulator.requests()[before:])) == []


@pytest.fixture
def start_elsewhere(emulator: Emulator) -> Callable[..., dict[str, Any]]:
    """Starts a run in somebody else's name, past Prism."""

    def start(actor: str) -> dict[str, Any]:
        url = f"{emulator.url}/v2/actors/{actor.replace('/', '~')}/runs"
        response = requests.post(url, json={}, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        run: dict[str, Any] = response.json()["data"]
        return run

    return start
