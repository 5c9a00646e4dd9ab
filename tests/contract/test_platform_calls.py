"""Every call that Actorline knows, also those that no job makes yet, against the platform's document."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from real_parts import TOKEN

from actorline.platform.actors import get_actor, get_actor_task
from actorline.platform.client import Platform
from actorline.platform.errors import NotFound
from actorline.platform.key_value_stores import list_keys
from actorline.platform.runs import abort_run, get_log_tail, get_run, list_runs
from actorline.platform.users import get_limits, get_me
from actorline.platform.webhooks import Receiver, create_webhook, delete_webhook, get_webhook

pytestmark = pytest.mark.usefixtures("document_is_kept")


@pytest.fixture
def platform(prism) -> Iterator[Platform]:
    platform = Platform(prism.url, SecretStr(TOKEN), user_agent="actorline-contract")
    yield platform
    platform.close()


def test_account(platform):
    assert get_me(platform).username == "demo"
    assert get_limits(platform).limits.max_concurrent_actor_jobs > 0


def test_actor_and_actor_task_by_name_and_id(platform):
    actor = get_actor(platform, "demo/rows")
    assert get_actor(platform, actor.id) == actor
    task = get_actor_task(platform, "demo/rows-task")
    assert get_actor_task(platform, task.id) == task
    assert task.act_id == actor.id


def test_run_its_log_and_its_abort(platform, emulator, start_elsewhere):
    run_id = start_elsewhere(emulator.actor("logged", items=1, duration_secs=600))["id"]
    assert get_run(platform, run_id).status == "RUNNING"
    assert abort_run(platform, run_id, gracefully=True).status == "ABORTING"
    assert get_log_tail(platform, run_id) != []


def test_runs_listed_by_time_and_status(platform, emulator, start_elsewhere):
    run_id = start_elsewhere(emulator.actor("listed", items=1, duration_secs=0))["id"]
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert run_id in {run.id for run in list_runs(platform, started_after=since, status=["SUCCEEDED", "FAILED"])}


def test_keys_past_a_thousand_and_by_prefix(platform, emulator, start_elsewhere):
    store_id = start_elsewhere(emulator.actor("keyed", duration_secs=0, record_count=2100))["defaultKeyValueStoreId"]
    assert len(list(list_keys(platform, store_id))) == 2101
    assert [found.key for found in list_keys(platform, store_id, prefix="KEY-0210")] == ["KEY-02100"]


def test_webhook_made_once_for_its_key_and_deleted(platform, emulator):
    actor = get_actor(platform, emulator.actor("hooked", items=1))
    receiver = Receiver("http://127.0.0.1:9/v1/webhooks/apify?hook=1", SecretStr("s" * 40))
    made, again = (
        create_webhook(
            platform, receiver, condition={"actorId": actor.id}, events=["ACTOR.RUN.SUCCEEDED"], idempotency_key="one"
        )
        for _ in range(2)
    )
    assert made == again == get_webhook(platform, made.id)
    assert made.request_url == receiver.url
    straight = Platform(emulator.url, SecretStr(TOKEN), user_agent="actorline-contract")
    delete_webhook(straight, made.id)  # past Prism: the document wants a body in a 204
    with pytest.raises(NotFound):
        delete_webhook(platform, made.id)
    straight.close()
