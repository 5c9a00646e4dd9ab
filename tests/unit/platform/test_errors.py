import pickle

import pytest

from actorline.platform import errors
from actorline.platform.errors import (
    AuthFailed,
    CapacityExceeded,
    Forbidden,
    InvalidRequest,
    NotFound,
    PlatformError,
    PlatformUnavailable,
    RateLimited,
    classify,
)
from actorline.stages.start.refusal import refusal_reason


@pytest.mark.parametrize(
    ("status", "type_", "expected"),
    [
        (None, None, PlatformUnavailable),
        (200, None, PlatformUnavailable),
        (302, None, PlatformUnavailable),
        (400, "invalid-request", InvalidRequest),
        (400, "invalid-token", AuthFailed),
        (400, None, InvalidRequest),
        (401, "invalid-token", AuthFailed),
        (401, "token-not-provided", AuthFailed),
        (401, "user-or-token-not-found", AuthFailed),
        (401, None, AuthFailed),
        (402, "actor-memory-limit-exceeded", CapacityExceeded),
        (402, "concurrent-runs-limit-exceeded", CapacityExceeded),
        (402, "not-enough-usage-to-run-paid-actor", Forbidden),
        (402, "dataset-locked", Forbidden),
        (403, "concurrent-runs-limit-exceeded", CapacityExceeded),
        (403, "actor-memory-limit-exceeded", CapacityExceeded),
        (403, "full-permission-actor-not-approved", Forbidden),
        (403, "actor-is-not-rented", Forbidden),
        (404, "record-or-token-not-found", NotFound),
        (404, None, NotFound),
        (410, "made-up-tomorrow", NotFound),
        (405, "method-not-allowed", InvalidRequest),
        (408, "operation-timed-out", PlatformUnavailable),
        (408, "run-timeout-exceeded", PlatformUnavailable),
        (408, None, PlatformUnavailable),
        (425, "too-early", PlatformUnavailable),
        (409, "actor-task-name-not-unique", InvalidRequest),
        (413, "request-too-large", InvalidRequest),
        (415, "unsupported-content-encoding", InvalidRequest),
        (418, "made-up-tomorrow", InvalidRequest),
        (429, "rate-limit-exceeded", RateLimited),
        (429, "input-update-collision", RateLimited),
        (500, "concurrent-update-detected", PlatformUnavailable),
        (503, "query-timeout", PlatformUnavailable),
        (599, "made-up-tomorrow", PlatformUnavailable),
    ],
)
def test_each_answer_has_its_class(status, type_, expected):
    assert classify(status, type_) is expected


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (PlatformUnavailable, PlatformError),
        (RateLimited, PlatformUnavailable),
        (CapacityExceeded, PlatformError),
        (AuthFailed, PlatformError),
        (Forbidden, PlatformError),
        (NotFound, PlatformError),
        (InvalidRequest, PlatformError),
    ],
)
def test_the_tree_is_as_drawn(child, parent):
    assert child.__base__ is parent
    assert child.__name__ in (errors.__doc__ or "")


def test_a_long_message_is_cut_to_500_characters():
    assert len(PlatformError("x" * 501).message) == 500
    assert len(PlatformError("\u4ef7" * 501).message) == 500 // len(r"\u4ef7")


def test_the_text_names_request_status_type_words_and_attempts():
    error = RateLimited(
        "Slow down", status=429, type="rate-limit-exceeded", attempts=5, request="GET https://a.test/v2/x"
    )

    assert str(error) == "GET https://a.test/v2/x [429 rate-limit-exceeded] Slow down (after 5 attempts)"
    assert str(PlatformUnavailable("refused")) == "refused"


@pytest.mark.parametrize("end", ["", ".", "?", "!", "?!", ". "])
def test_the_platforms_words_can_be_quoted_within_a_sentence(end):
    refused = CapacityExceeded(f"You would exceed the limit of 8192MB{end}", type="actor-memory-limit-exceeded")
    assert refused.message == "You would exceed the limit of 8192MB"
    assert refusal_reason(refused).message.endswith("You would exceed the limit of 8192MB. No run was started.")


def test_an_unknown_actor_is_asked_about():
    missing = NotFound("Actor was not found", status=404, type="actor-not-found", request="POST x")
    assert refusal_reason(missing).message.endswith(
        "Actor was not found. No run was started. Is its name right, and may the account of this token see it?"
    )


def test_an_error_survives_pickling_with_all_it_knows():
    error = RateLimited("Slow down", status=429, type="t", attempts=3, request="GET x", retry_after_s=7.0)

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is RateLimited
    assert vars(copy) == vars(error)
