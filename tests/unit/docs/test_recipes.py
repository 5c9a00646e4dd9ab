"""The recipe for a receiver of notices believes what the sender signs, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest

from actorline.notify.sender import _headers
from actorline.settings import Settings

PAGE = Path(__file__).parents[3] / "docs/recipes.md"
SECRET = "whsec_Y2FuYXJ5LW9mLXRoZS1yZWNpcGVz"
BODY = '{"id": "n1", "data": {"key": "recipe"}}'


@pytest.fixture(scope="module")
def is_genuine() -> Any:
    (program,) = re.findall(r"(?ms)^```python\n(.*?)^```$", PAGE.read_text())
    names: dict[str, Any] = {}
    exec(program, names)
    return names["is_genuine"]


@pytest.mark.parametrize(
    ("changes", "body", "is_believed"),
    [
        ({}, BODY, True),
        ({}, BODY.replace("recipe", "other"), False),
        ({"webhook-id": "n2"}, BODY, False),
        ({"webhook-timestamp": "1700000000"}, BODY, False),
        ({"webhook-signature": "v1,bm90IG91cnM="}, BODY, False),
    ],
)
def test_only_what_was_signed_is_believed(is_genuine, changes, body, is_believed):
    headers = {**_headers("n1", BODY, Settings(notify_secret=SECRET)), **changes}
    assert is_genuine(headers, body.encode(), SECRET) is is_believed


def test_an_old_notice_is_not_believed(is_genuine, monkeypatch):
    headers = _headers("n1", BODY, Settings(notify_secret=SECRET))
    later = float(headers["webhook-timestamp"]) + 400
    monkeypatch.setattr("time.time", lambda: later)
    assert is_genuine(headers, BODY.encode(), SECRET) is False
