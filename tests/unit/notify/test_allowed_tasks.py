import pytest

from actorline.errors import Code, Refused
from actorline.jobs.document.parse import parse_document
from actorline.notify.allowed_tasks import check_notify_task
from actorline.settings import Settings

LISTED = Settings(notify_tasks="shop.job_ended@shop, other.told@celery")


def check(task: str, queue: str | None, settings: Settings = LISTED, *, trusted: bool = False) -> None:
    document = parse_document({"actor": "a/b", "notify": {"task": task, "queue": queue}})
    check_notify_task(document, settings, trusted=trusted)


@pytest.mark.parametrize(("task", "queue"), [("shop.job_ended", "shop"), ("other.told", None)])
def test_services_may_name_what_is_listed(task, queue):
    check(task, queue)


@pytest.mark.parametrize(
    ("task", "queue"), [("shop.refund_order", "shop"), ("shop.job_ended", None), ("shop.job_ended", "billing")]
)
def test_services_may_name_nothing_else_and_the_operator_any(task, queue):
    with pytest.raises(Refused, match="ACTORLINE_NOTIFY_TASKS") as refused:
        check(task, queue)
    assert refused.value.reason.code is Code.NOTIFY_REFUSED
    check(task, queue, trusted=True)


def test_nothing_is_allowed_to_services_by_default():
    with pytest.raises(Refused, match=r"shop\.job_ended@shop"):
        check("shop.job_ended", "shop", Settings())


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("actorline.run", "shop"),
        ("actorline.upkeep", "shop"),
        ("Actorline.run", "shop"),
        ("celery.backend_cleanup", "shop"),
        ("shop.x", "actorline"),
        ("shop.x", "actorline.control"),
        ("shop.x", "actorline.unacked_mutex"),
        ("shop.x", "actorline-shop"),
        ("shop.x", "_kombu.binding.celery"),
        ("shop.x", "_kombu.binding_deadlines"),
        ("shop.x", "unacked"),
        ("shop.x", "unacked_mutex"),
        ("shop.x", "UNACKED_index"),
        ("shop.x", "celery-task-meta-1"),
        ("shop.x", "celery-taskset-meta-1"),
        ("shop.x", "chord-unlock-1"),
        ("shop.x", "worker.celery.pidbox"),
        ("shop.x", "reply.celery.pidbox"),
        ("shop.x", "celeryev"),
        ("shop.x", "celeryev.1"),
    ],
)
def test_keys_of_celery_and_actorline_are_always_refused(task, queue, trusted):
    settings = Settings(notify_tasks=f"{task}@{queue}")
    with pytest.raises(Refused, match="of your own"):
        check(task, queue, settings, trusted=trusted)


def test_queue_of_another_namespace_is_refused():
    with pytest.raises(Refused, match=r"notify\.queue"):
        check("shop.x", "jobs.control", Settings(namespace="jobs"), trusted=True)


@pytest.mark.parametrize("queue", ["q\x06\x163", "/0.celeryev", "a:b", "a b", "a*"])
def test_priority_steps_and_fanout_channels_are_no_queue_names(queue):
    with pytest.raises(Refused, match=r"notify\.queue"):
        check("shop.x", queue, trusted=True)


@pytest.mark.parametrize("trusted", [False, True])
def test_queue_without_a_task_is_refused(trusted):
    document = parse_document({"actor": "a/b", "notify": {"queue": "actorline.unacked_mutex"}})
    with pytest.raises(Refused, match=r"notify\.task, which is missing"):
        check_notify_task(document, LISTED, trusted=trusted)
