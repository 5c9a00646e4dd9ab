import pytest

from actorline.emulator.account_documents import limits_document, user_document
from actorline.emulator.documents import (
    actor_document,
    actor_task_document,
    dataset_document,
    key_value_store_document,
    run_document,
    run_short_document,
)
from actorline.emulator.life import Life
from actorline.emulator.profile import Actor, ActorTask, Profile, Script
from actorline.emulator.records import RecordStore
from actorline.emulator.runs import Run, RunOptions

START = 1_700_000_000.0

# OpenAPI document v2-2026-08-05T133145Z, components.schemas.<name>.required
REQUIRED = {
    "Run": "id actId userId startedAt status meta stats options buildId defaultKeyValueStoreId defaultDatasetId "
    "defaultRequestQueueId generalAccess",
    "RunShort": "id actId status startedAt buildId meta usageTotalUsd defaultKeyValueStoreId defaultDatasetId "
    "defaultRequestQueueId",
    "RunMeta": "origin",
    "RunOptions": "build timeoutSecs memoryMbytes diskMbytes",
    "Actor": "id userId name username isPublic createdAt modifiedAt stats versions defaultRunOptions",
    "Task": "id userId actId name createdAt modifiedAt",
    "Dataset": "id userId createdAt modifiedAt accessedAt itemCount cleanItemCount consoleUrl",
    "KeyValueStore": "id createdAt modifiedAt accessedAt",
    "UserPrivateInfo": "username plan effectivePlatformFeatures isPaying",
    "AccountLimits": "monthlyUsageCycle limits current",
    "Limits": "maxMonthlyUsageUsd maxMonthlyActorComputeUnits maxMonthlyExternalDataTransferGbytes "
    "maxMonthlyProxySerps maxMonthlyResidentialProxyGbytes maxActorMemoryGbytes maxActorCount maxActorTaskCount "
    "maxConcurrentActorJobs maxTeamAccountSeatCount dataRetentionDays",
    "Current": "monthlyUsageUsd monthlyActorComputeUnits monthlyExternalDataTransferGbytes monthlyProxySerps "
    "monthlyResidentialProxyGbytes actorMemoryGbytes actorCount actorTaskCount activeActorJobCount "
    "teamAccountSeatCount",
}

ACTOR = Actor(username="ann", name="scraper", title="Scraper")
TASK = ActorTask(username="ann", name="daily", actor="ann~scraper")


def make_run(*, user_agent="tester/1.0", task=None, **script):
    made = Script(duration_secs=10, **script)
    return Run(
        username="ann",
        actor=ACTOR,
        actor_task=task,
        options=RunOptions("latest", "0.0.1", 60, 1024, None, None),
        life=Life(made, START),
        user_agent=user_agent,
        input_bytes=2,
        records=RecordStore(made),
    )


def documents():
    run = make_run()
    limits = limits_document([run], START, 1.0, (1, 2), Profile())
    return [
        ("Run", run_document(run, START)),
        ("RunShort", run_short_document(run, START)),
        ("RunMeta", run_document(run, START)["meta"]),
        ("RunOptions", run_document(run, START)["options"]),
        ("Actor", actor_document(ACTOR, 1)),
        ("Task", actor_task_document(TASK, ACTOR.id, 1)),
        ("Dataset", dataset_document(run, START)),
        ("KeyValueStore", key_value_store_document(run, START)),
        ("UserPrivateInfo", user_document("ann")),
        ("AccountLimits", limits),
        ("Limits", limits["limits"]),
        ("Current", limits["current"]),
    ]


@pytest.mark.parametrize(("schema", "document"), documents(), ids=lambda value: value if isinstance(value, str) else "")
def test_documents_have_every_required_field(schema, document):
    required = REQUIRED[schema].split()
    assert {name: document[name] for name in required if document.get(name) is not None}.keys() == set(required)


def test_a_run_tells_its_end_only_when_it_has_ended():
    run = make_run(final_status="FAILED", status_message="no luck", usage_usd=2.0)
    going, ended = run_document(run, START + 5), run_document(run, START + 10)
    names = ("status", "finishedAt", "statusMessage", "exitCode", "usageTotalUsd")
    assert [going[name] for name in names] == ["RUNNING", None, None, None, 1.0]
    assert [ended[name] for name in names] == ["FAILED", "2023-11-14T22:13:30.000Z", "no luck", 1, 2.0]


@pytest.mark.parametrize(
    ("script", "in_run", "in_list"),
    [
        ({}, "tester/1.0", "tester/1.0"),
        ({"hide_user_agent_in_lists": True}, "tester/1.0", None),
        ({"hide_user_agent": True}, None, None),
    ],
)
def test_the_user_agent_is_shown_where_the_script_allows(script, in_run, in_list):
    run = make_run(**script)
    assert run_document(run, START)["meta"].get("userAgent") == in_run
    assert run_short_document(run, START)["meta"].get("userAgent") == in_list


def test_clean_items_are_the_ones_that_are_not_empty():
    dataset = dataset_document(make_run(items=2000), START + 60)
    assert (dataset["itemCount"], dataset["cleanItemCount"]) == (2000, 1998)


def test_a_run_of_a_task_names_both():
    run = run_document(make_run(task=TASK), START)
    assert (run["actId"], run["actorTaskId"]) == (ACTOR.id, TASK.id)
