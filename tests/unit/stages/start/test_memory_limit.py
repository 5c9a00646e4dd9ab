"""When waiting for memory is waiting for ever."""

from typing import Any

import pytest
import responses
from pydantic import SecretStr

from actorline.errors import Code
from actorline.jobs.document.parse import parse_document
from actorline.platform.client import Platform
from actorline.platform.errors import CapacityExceeded
from actorline.stages.start.memory_limit import beyond_the_account

API = "https://api.example.test/v2"
REFUSED = CapacityExceeded("You would exceed the limit of 8192MB", type="actor-memory-limit-exceeded")


@pytest.fixture
def platform():
    platform = Platform("https://api.example.test", SecretStr("t"), user_agent="x", sleep=lambda _: None)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as api:
        actor = {"id": "a1", "name": "x", "username": "me", "defaultRunOptions": {"memoryMbytes": 16384}}
        of_task = {"id": "t1", "actId": "a1", "name": "t", "options": {"memoryMbytes": 4096}}
        plain_task = {"id": "t2", "actId": "a1", "name": "u", "options": {"memoryMbytes": None}}
        limits: dict[str, Any] = {"limits": {"maxActorMemoryGbytes": 8}, "current": {"actorMemoryGbytes": 0}}
        for path, data in (
            ("users/me/limits", limits),
            ("actors/me~x", actor),
            ("actors/a1", actor),
            ("actor-tasks/me~t", of_task),
            ("actor-tasks/me~u", plain_task),
        ):
            api.get(f"{API}/{path}", json={"data": data})
        yield platform
    platform.close()


@pytest.mark.parametrize(
    ("order", "is_beyond"),
    [
        ({"actor": "me/x"}, True),
        ({"actor": "me/x", "options": {"memory_mbytes": 16384}}, True),
        ({"actor": "me/x", "options": {"memory_mbytes": 8192}}, False),
        ({"actor_task": "me/t"}, False),
        ({"actor_task": "me/u"}, True),
        ({"actor": "me/unknown"}, False),
    ],
)
def test_memory_that_the_account_can_never_have_is_known(platform, order, is_beyond):
    reason = beyond_the_account(platform, parse_document(order), REFUSED, 8192)
    assert (reason is not None) is is_beyond
    if reason:
        assert (reason.code, reason.billed, reason.platform_type) == (Code.CAPACITY, False, REFUSED.type)
        assert "needs 16,384 MB of memory, but the account may use 8,192 MB in total" in reason.message
        assert "You would exceed the limit of 8192MB. No run was started. Order less" in reason.message
