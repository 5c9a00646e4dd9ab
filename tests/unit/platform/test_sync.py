"""What a synchronous start's refusal says of its run."""

import pytest
from pydantic import SecretStr
from tiny_server import reply, tiny_server

from actorline.platform.client import Platform
from actorline.platform.start import SendBy, StartRequest, StartUnclear
from actorline.platform.sync import run_sync


def outcome(message: str, type_: str = "run-failed") -> object:
    request = StartRequest("me/a", None, b"{}", {}, "actorline/0.1.0 (al-1f00aa/9f86d081884c7d65.1)")
    with tiny_server(lambda _: reply(400, {"error": {"type": type_, "message": message}})) as server:
        platform = Platform(server.url, SecretStr("apify_api_hush"))
        try:
            return run_sync(platform, request, wants_items=True, send_by=SendBy(10), announce=lambda: None)
        finally:
            platform.close()


@pytest.mark.parametrize("run_id", ["55uatRrZib4xbZs", "run_5-5", "a.b~c:d"])
@pytest.mark.parametrize("text", ["did not succeed (run ID: {}, status: FAILED)", "run ID: {}.", "(run ID: {})"])
def test_run_that_failed_is_named_with_its_whole_id(run_id, text):
    assert outcome(text.format(run_id)) == run_id


def test_run_of_which_no_table_can_be_made_has_succeeded():
    assert outcome("The exported dataset has no columns", "no-columns-in-exported-dataset") is None


def test_run_that_failed_without_a_name_is_unclear():
    with pytest.raises(StartUnclear):
        outcome("The run did not succeed.")
