"""Revoking any of a job's task ids cancels the job and aborts its run.

A plain revoke would lose the rows and leave the run billing (measured). Other ids are revoked by Celery as usual.
"""

from collections.abc import Iterable
from typing import Any

import structlog
from celery.utils.functional import maybe_list
from celery.worker.control import Panel

from actorline.batches.find import load_any
from actorline.identifiers import JobKey, TaskId
from tasks.cancel import ask_to_cancel
from tasks.shell.environment import ledger

log = structlog.get_logger(__name__)

_celery_revoke = Panel.data["revoke"]


def let_revoke_cancel() -> None:
    """Override the remote command `revoke`."""
    Panel.data["revoke"] = revoke


def _request(key: JobKey) -> str:
    """Return what is the same for all workers, each of which gets a revoke, until the job is retried."""
    revoked = load_any(ledger(), key)
    return f"revoke {revoked.retries if revoked else 0}"


def revoke(state: Any, task_id: TaskId | Iterable[str], **options: Any) -> Any:
    """Cancel the jobs that the ids belong to, and let Celery revoke the others."""
    ids = set(maybe_list(task_id) or [])
    keys = {each: key for each in ids if (key := ledger().callers.key_of(each))}
    for key in set(keys.values()):
        log.info("revoke_cancels", job_key=key)
        ask_to_cancel(key, request=_request(key))
    others = ids - set(keys)
    if not others:
        return {"ok": f"cancelled: {', '.join(sorted(set(keys.values())))}"}
    return _celery_revoke(state, list(others), **options)
