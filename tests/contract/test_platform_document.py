"""The check itself: whatever breaks the platform's document is seen."""

import pytest
import requests
from real_parts import TOKEN

AUTH = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("path", "headers", "error"),
    [
        ("/v2/actor-runs?limit=many", AUTH, "UNPROCESSABLE_ENTITY"),
        ("/v2/actor-runs", {}, "UNAUTHORIZED"),
        ("/v2/acts/demo~rows/runs", AUTH, "NO_PATH_MATCHED_ERROR"),
    ],
)
def test_request_that_breaks_the_document_is_seen(prism, path, headers, error):
    assert error in requests.get(prism.url + path, headers=headers, timeout=10).json()["type"]
    (violation,) = prism.checked().violations
    assert error in violation


@pytest.mark.parametrize(
    ("response", "sign"),
    [
        ({"status": 200}, "errors#VIOLATIONS"),  # no `data` in it
        ({"status": 200, "html": "<html>Hello</html>"}, "errors#VIOLATIONS"),
        ({"status": 418}, "Unable to match the returned status code"),
    ],
)
def test_answer_that_breaks_the_document_is_seen(prism, faults, response, sign):
    faults({"action": "status", "path_regex": "/users/me$", "times": 1, **response})
    assert "sl-violations" in requests.get(f"{prism.url}/v2/users/me", headers=AUTH, timeout=10).headers
    (violation,) = prism.checked().violations
    assert sign in violation


def test_parameter_that_the_document_does_not_name_is_seen(openapi):
    request = {"method": "GET", "path": "/v2/actor-runs/abc", "query": {"waitForFinish": "1", "wait": "1"}}
    assert list(openapi.unknown_parameters([request])) == ["GET /v2/actor-runs/abc: wait"]
