"""How a caller gets its answer: the job's result, under the caller's own task id.

The process that ended the job stores it. A message of its own, a fifth of a small job's messages, is sent only to a
caller whose task has something after it, which Celery then sends on.
"""

from functools import lru_cache
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import redis
from celery import current_app, states
from celery.app.task import Context

from actorline.batches.batch import Batch, BatchResult
from actorline.errors import JobEnded
from actorline.identifiers import JobKey, TaskId
from actorline.jobs.job import Job
from actorline.jobs.job_result import JobResult
from actorline.jobs.outcome import exception_for
from actorline.ledger.callers import Continuations
from actorline.redis_connection.one_connection import exchange
from actorline.redis_connection.succession import Succession
from tasks.shell.batches import send_batch
from tasks.shell.canvas import send_notices
from tasks.shell.environment import ledger, settings
from tasks.shell.metrics import note_end
from tasks.shell.order_request import describe_job
from tasks.shell.shown_step import show_order_ended

REPLICATED_MS: Final = 1_000

_OF_RESULT: Final = ("group", "parent_id", "ignore_result")


def end_for_callers(key: JobKey) -> None:
    """Give the ended job's callers their answers, and send its notice."""
    job, callers = ledger().load_with_callers(key)
    if job and job.is_terminal:
        note_end(job)
        answer_callers(job, callers)
        if not callers:
            _show_end(job)
        send_notices(job)
        if job.batch:
            send_batch(job.batch)


def answer_callers(ended: Job | Batch, callers: Continuations) -> None:
    """Give each caller of an ended job or batch its answer."""
    for task_id, caller in callers.items():
        answer_caller(ended, task_id, caller)


def _show_end(job: Job) -> None:
    """Show the end of a job that no Celery task ordered: from the terminal, over HTTP, or by a schedule.

    Its id is made from the job, so that an end which is shown twice is one row.
    """
    task_id = TaskId(str(uuid5(NAMESPACE_URL, f"actorline:{job.key}:{job.epoch}")))
    show_order_ended(task_id, _order_name(job), _described(job), outcome_of(JobResult.of(job)))


def answer_caller(ended: Job | Batch, task_id: TaskId, caller: dict[str, Any]) -> None:
    """Give one caller its answer. Safe to repeat: what a crash leaves undone, upkeep does."""
    if continues(caller):
        _send_answer(ended, task_id, caller)
        return
    if not has_result(task_id):
        store_answer(ended, task_id, caller)
    if caller.get("ignore_result") or is_replicated(task_id):
        ledger().callers.forget(ended.key, task_id)


def has_result(task_id: TaskId) -> bool:
    """Return whether the backend has the task's final result."""
    return current_app.backend.get_state(task_id) in states.READY_STATES


def is_replicated(task_id: TaskId) -> bool:
    """Return whether as many replicas as must have each order have the task's result.

    A primary that was replaced meanwhile may still have accepted it, and forgets it. Only a write can be waited for.
    """
    backend: Any = current_app.backend
    replicas = settings().durable_replicas
    if not replicas:
        return True
    try:
        renewed = ("EXPIRE", backend.get_key_for_task(task_id), backend.expires)
        (is_there, copies), server = exchange(backend.client, [renewed, ("WAIT", replicas, REPLICATED_MS)])
    except redis.RedisError:  # upkeep looks again
        return False
    if is_there != 1 or not isinstance(copies, int) or copies < replicas:
        return False
    succession = _succession(backend.client)
    return succession is None or succession.objection(server) is None


_succession = lru_cache(maxsize=1)(Succession.of)


def continues(caller: dict[str, Any]) -> bool:
    """Return whether something follows the caller's task."""
    return any(caller.get(name) for name in ("chain", "callbacks", "errbacks", "chord"))


def store_answer(ended: Job | Batch, task_id: TaskId, caller: dict[str, Any]) -> None:
    """Store the result as if the caller's own task had ended with it, and show that in Flower."""
    result, backend = _result(ended), current_app.backend
    request: Any = Context(
        id=task_id,
        group=caller.get("group"),
        parent_id=caller.get("parent_id"),
        ignore_result=bool(caller.get("ignore_result")),
    )
    outcome = outcome_of(result)
    if isinstance(outcome, JobEnded):
        backend.mark_as_failure(task_id, outcome, request=request, store_result=not request.ignore_result)
    else:
        backend.mark_as_done(task_id, outcome, request)
    show_order_ended(task_id, _order_name(ended), _described(ended), outcome)


def _send_answer(ended: Job | Batch, task_id: TaskId, caller: dict[str, Any]) -> None:
    options = {**continuation(caller), "argsrepr": _described(ended), "shadow": _order_name(ended)}
    current_app.send_task("actorline.answer", [ended.key], task_id=task_id, **options)


def outcome_of(result: JobResult | BatchResult) -> JobEnded | dict[str, Any]:
    """Return what a caller gets: the result, or the exception to raise."""
    raised = exception_for(result)
    return raised(result.model_dump_json()) if raised else result.model_dump(mode="json")


def _result(ended: Job | Batch) -> JobResult | BatchResult:
    return JobResult.of(ended) if isinstance(ended, Job) else BatchResult.of(ended)


def _order_name(ended: Job | Batch) -> str:
    """Return the task that ordered it, as which Flower shows its end."""
    return "actorline.run" if isinstance(ended, Job) else "actorline.batch"


def _described(ended: Job | Batch) -> str:
    return describe_job(ended) if isinstance(ended, Job) else f"(key={ended.key})"


def keep_caller(request: Any) -> dict[str, Any]:
    """Return what is needed to answer a caller later: its task id and its continuation.

    Of one without, which most are, only what its result is stored with.
    """
    noted = {
        "id": request.id,
        "chain": request.chain,
        "callbacks": request.callbacks,
        "errbacks": request.errbacks,
        "chord": request.chord,
        "group": request.group,
        "group_index": request.group_index,
        "root_id": request.root_id,
        "parent_id": request.parent_id,
        "ignore_result": request.ignore_result,
        "priority": (request.delivery_info or {}).get("priority"),
    }
    if continues(noted):
        return noted
    return {name: noted[name] for name in ("id", *_OF_RESULT) if noted[name]}


def continuation(caller: dict[str, Any]) -> dict[str, Any]:
    """Return the options with which an answer replaces the caller's own task."""
    return {
        "chain": caller["chain"],
        "link": caller["callbacks"],
        "link_error": caller["errbacks"],
        "chord": caller["chord"],
        "group_id": caller["group"],
        "group_index": caller["group_index"],
        "root_id": caller["root_id"],
        "parent_id": caller["parent_id"],
        "ignore_result": bool(caller["ignore_result"]),
        "priority": caller["priority"] or 0,
    }
