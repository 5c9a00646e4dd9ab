"""A revoke of any id of a job means the job: its run is aborted. Other ids are revoked as ever."""

import pytest
from celery.exceptions import TaskRevokedError
from real_parts import reason_of, wait_for, waiting_poll


@pytest.fixture
def order(line):
    """Places an order for a long run and waits until it is being polled."""

    def place(key: str):
        actor = line.emulator.actor("revoked", items=600, duration_secs=600)
        pending = line.submit({"key": key, "actor": actor, "poll_interval_secs": 2})
        wait_for(lambda: "run-status" in line.events(key), what="the first poll")
        # a revoke before that is also answered by any plain Celery worker on this broker: REVOKED
        wait_for(lambda: pending.state == "PROGRESS", what="the caller's being known")
        return pending

    return place


def assert_cancelled(line, pending, key):
    with pytest.raises(Exception) as raised:  # noqa: PT011
        pending.get(timeout=120)
    assert type(raised.value).__name__ == "JobCancelled"
    assert reason_of(raised.value)["code"] == "cancelled"
    assert line.state(key) == "CANCELLED"
    assert line.events(key).count("cancel-asked") == 1  # each worker got the revoke
    assert line.emulator.run(line.ledger.load(key).run.id)["status"] == "ABORTED"


def test_revoke_of_the_callers_id_cancels_the_job(line, order):
    pending = order("revoked-caller")
    line.client.AsyncResult(pending.id).revoke()
    assert_cancelled(line, pending, "revoked-caller")


def test_revoke_with_terminate_cancels_the_job_too(line, order):
    pending = order("revoked-terminate")
    line.client.control.revoke([pending.id], terminate=True)
    assert_cancelled(line, pending, "revoked-terminate")


def test_revoke_of_the_poll_cancels_the_job(line, order):
    pending = order("revoked-poll")
    poll = wait_for(lambda: waiting_poll(line, "revoked-poll"), what="a poll that waits")
    line.client.control.revoke(poll)
    assert_cancelled(line, pending, "revoked-poll")


def test_revoke_of_a_stage_that_is_still_to_come_cancels_the_job(line, order):
    pending = order("revoked-later")
    ids = line.ledger.callers.task_ids("revoked-later")
    poll = wait_for(lambda: waiting_poll(line, "revoked-later"), what="a poll that waits")
    later = ids - {pending.id, poll}
    assert len(later) >= 2
    line.client.control.revoke(list(later))
    assert_cancelled(line, pending, "revoked-later")


def test_revoke_by_one_of_two_callers_cancels_the_job_for_both(line, order):
    first = order("revoked-by-one")
    second = order("revoked-by-one")
    line.client.AsyncResult(second.id).revoke()
    assert_cancelled(line, first, "revoked-by-one")
    assert_cancelled(line, second, "revoked-by-one")


def test_key_of_a_revoked_job_still_answers_the_next_caller(line, order):
    pending = order("revoked-then-asked")
    pending.revoke()
    assert_cancelled(line, pending, "revoked-then-asked")
    actor = "demo/revoked"
    again = line.submit({"key": "revoked-then-asked", "actor": actor, "poll_interval_secs": 2})
    assert_cancelled(line, again, "revoked-then-asked")


@pytest.mark.usefixtures("service")
def test_foreign_id_is_revoked_as_ever(line):
    pending = line.client.send_task("service.echo", [1], countdown=600)
    pending.revoke()
    with pytest.raises(TaskRevokedError):
        pending.get(timeout=120)

    def both_of_ours() -> list[list[str]] | None:
        revoked = line.client.control.inspect(timeout=2).revoked() or {}
        ours = [ids for worker, ids in revoked.items() if worker.startswith(("control-", "fetch-"))]
        return ours if len(ours) == 2 else None

    assert all(pending.id in ids for ids in wait_for(both_of_ours, what="what both workers have revoked"))


@pytest.mark.usefixtures("service")
def test_job_and_foreign_id_in_one_revoke_are_both_obeyed(line, order):
    job = order("revoked-in-company")
    foreign = line.client.send_task("service.echo", [1], countdown=600)
    line.client.control.revoke([foreign.id, job.id])
    assert_cancelled(line, job, "revoked-in-company")
    with pytest.raises(TaskRevokedError):
        foreign.get(timeout=120)
