import json
import pickle

import pytest

from actorline.errors import (
    REFUSALS,
    Code,
    JobCancelled,
    JobEnded,
    JobExpired,
    JobFailed,
    JobRefused,
    Reason,
    Refused,
    Unavailable,
)


def test_codes_are_words_for_urls_labels_and_problem_documents():
    assert all(code.replace("-", "").isalpha() and code == code.lower() for code in Code)
    assert set(Code) > REFUSALS


@pytest.mark.parametrize("error", [JobFailed, JobCancelled, JobExpired, JobRefused])
def test_an_end_travels_with_its_result_through_celery(error):
    raised = error('{"key": "k"}')
    assert isinstance(raised, JobEnded)
    assert json.loads(str(pickle.loads(pickle.dumps(raised)))) == {"key": "k"}


@pytest.mark.parametrize("error", [Refused, Unavailable])
def test_what_a_door_turns_down_was_not_billed(error):
    raised = error(Code.CONFLICT, "Taken. Nothing was started.")
    assert str(raised) == "Taken. Nothing was started."
    assert raised.reason == Reason(code=Code.CONFLICT, message="Taken. Nothing was started.", billed=False)


def test_a_refusal_keeps_the_platforms_type():
    assert Refused(Code.AUTH, "No.", platform_type="invalid-token").reason.platform_type == "invalid-token"


def test_a_reason_is_the_same_after_a_journey_as_json():
    reason = Reason(code=Code.RUN_FAILED, message="The run ended FAILED", platform_type=None, billed=True)
    assert json.loads(reason.model_dump_json())["code"] == "run-failed"
    assert Reason.model_validate_json(reason.model_dump_json()) == reason
