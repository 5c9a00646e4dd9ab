"""`actorline.hook(hook_id, run_id)`: collect a run that others started, if it belongs to the hook."""

from typing import Any

import structlog
from celery import Task, shared_task

from actorline.errors import Code, Refused, Unavailable
from actorline.identifiers import RunId
from actorline.platform.errors import AuthFailed, Forbidden, NotFound, PlatformError, PlatformUnavailable
from actorline.upkeep.decision import Stage
from actorline.webhooks.hooks import Hooks, collect_run
from tasks.shell.canvas import send_pipeline
from tasks.shell.environment import installation, ledger, platform, settings
from tasks.shell.try_again import try_again

RUN_NOT_YET_SECS = 10  # docs/platform-facts.md#replica-lag
NOT_YET_TRIES = 3

log = structlog.get_logger(__name__)


@shared_task(bind=True, name="actorline.hook", ignore_result=True, max_retries=NOT_YET_TRIES)
def hook(self: "Task[Any, Any]", hook_id: str, run_id: RunId) -> None:
    """Order the run's job. After a temporary failure it stays noted in the ledger, and upkeep sends this again."""
    found = Hooks(ledger()).find(hook_id)
    try:
        if found is not None:
            submitted = collect_run(ledger(), platform(found.account), settings(), installation(), found, run_id)
            job = ledger().load(submitted.key) if submitted and submitted.created else None
            if job:
                send_pipeline(job, Stage.START)
    except NotFound as error:
        if self.request.retries < NOT_YET_TRIES:
            try_again(self, error, seconds=RUN_NOT_YET_SECS)
        log.warning("hook_run_not_found", hook_id=hook_id, run_id=run_id)
    except (PlatformError, Refused, Unavailable) as error:
        if may_pass(error):
            log.warning("hook_run_waits", hook_id=hook_id, run_id=run_id, error=str(error))
            return
        log.error(  # noqa: TRY400 - the operator must look, but needs no traceback
            "hook_run_not_collected", hook_id=hook_id, run_id=run_id, error=str(error)
        )
    Hooks(ledger()).forget_run(hook_id, run_id)


def may_pass(error: PlatformError | Refused | Unavailable) -> bool:
    """Return whether the run can be collected later: a refused or missing token is set right by the operator."""
    if isinstance(error, Refused):
        return error.reason.code is Code.AUTH
    return isinstance(error, Unavailable | PlatformUnavailable | AuthFailed | Forbidden)
