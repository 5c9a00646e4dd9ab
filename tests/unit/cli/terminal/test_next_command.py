"""What the command line tells a person to type next."""

import pytest

from actorline.cli.terminal.next_command import next_command
from actorline.errors import Code, Reason


@pytest.mark.parametrize(
    ("code", "message", "command"),
    [
        (Code.CONFLICT, "The key is used.", "actorline show prices"),
        (Code.FORMAT_FAILED, "Too many rows.", "actorline run --dataset-id d1 --format jsonl"),
        (Code.DOCUMENT_INVALID, "There is no field `inpt`.", None),
        (Code.UNKNOWN_KEY, "See `actorline jobs --state FAILED`.", None),  # one is enough
    ],
)
def test_a_refusal_says_what_to_type_next(code, message, command):
    reason = Reason(code=code, message=message, billed=False)
    assert next_command(reason, key="prices", dataset_id="d1") == command


def test_a_job_whose_sink_failed_is_retried_once_that_is_mended():
    reason = Reason(code=Code.SINK_FAILED, message="No space left on device.", billed=True)
    assert next_command(reason, key="prices", has_ended=True) == "actorline retry prices"
    assert next_command(reason, key="prices") == "actorline doctor"  # of a job that waits for it


def test_no_command_is_named_for_a_job_that_isnt_known():
    reason = Reason(code=Code.CONFLICT, message="An API key named prometheus already exists.", billed=False)
    assert next_command(reason) is None
