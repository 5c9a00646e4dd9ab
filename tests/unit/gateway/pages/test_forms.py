"""Forms are read from a body that is bounded in size and time."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from actorline.gateway.pages import forms
from actorline.gateway.pages.forms import read_form
from actorline.gateway.problems import Fault


def endless_form(block: bytes) -> Request:
    """A request whose body begins with the block, and then stays away."""
    waiting = [block]

    async def receive() -> dict[str, Any]:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": True}
        await asyncio.sleep(3600)
        raise AssertionError

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def test_a_form_that_comes_too_slowly_is_given_up(monkeypatch):
    monkeypatch.setattr(forms, "FORM_SECS", 0.05)
    with pytest.raises(Fault) as caught:
        asyncio.run(read_form(endless_form(b"key=")))
    assert caught.value.status == 408


def test_a_form_is_too_large_as_soon_as_its_bytes_are():
    with pytest.raises(Fault) as caught:
        asyncio.run(read_form(endless_form(b"x" * 11), 10))
    assert caught.value.status == 413
