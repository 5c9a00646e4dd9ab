"""Hooks: our persistent webhooks, which have each run of an Actor or Actor task collected, whoever started it.

A hook waits for the runs' ends: by then our own runs are known as ours, and others can be collected at once.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel

from actorline.identifiers import AccountName, RunId
from actorline.jobs.sender import Sender
from actorline.ledger.ledger import Ledger
from actorline.orders.submit import SubmittedJob, submit
from actorline.platform.client import Platform
from actorline.platform.marker import read_marker
from actorline.platform.runs import Run, get_run
from actorline.settings import Settings

Target = Literal["actor", "actor_task"]

RUNS: Final = "hook_runs"  # sorted set: hook and run id -> when it is checked again
HOOK_AGAIN_SECS: Final = 15.0  # after a lost message or an unavailable platform upkeep sends it again


class Hook(BaseModel):
    """A hook as stored. `target_id`: the platform's id of the Actor or Actor task. `serial`: random, a part of its
    webhook's idempotency key. `webhook_id`: None until the platform has responded.
    """

    id: str
    account: AccountName
    target: Target
    name: str
    target_id: str
    template: dict[str, Any]
    serial: str
    webhook_id: str | None = None
    added_at: float

    @property
    def condition(self) -> dict[str, str]:
        return {"actorId" if self.target == "actor" else "actorTaskId": self.target_id}

    def fits(self, run: Run) -> bool:
        """Return whether the run is the target's. A metamorph changes its Actor: `docs/platform-facts.md#metamorph`."""
        if self.target == "actor_task":
            return run.actor_task_id == self.target_id
        return run.act_id == self.target_id or bool(run.metamorphs)

    def document(self, run_id: RunId) -> dict[str, Any]:
        """Return the order that collects a run. Its key is the run's id, so that each run is collected once."""
        return {**self.template, "run_id": run_id, "key": run_id}


class Hooks:
    """The hooks in the ledger's Redis, and the runs that they still have to check."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def find(self, hook_id: str) -> Hook | None:
        text = self._ledger.webhooks.hook(hook_id)
        return None if text is None else Hook.model_validate_json(text)

    def all(self) -> list[Hook]:
        found = [Hook.model_validate_json(text) for text in self._ledger.webhooks.hooks()]
        return sorted(found, key=lambda hook: hook.added_at)

    def put(self, hook: Hook) -> None:
        self._ledger.webhooks.put_hook(hook.id, hook.model_dump_json())

    def forget(self, hook_id: str) -> None:
        self._ledger.webhooks.forget_hook(hook_id)

    def plan_runs(self, runs: Sequence[tuple[str, RunId]]) -> None:
        """Note on disk which hook has to check which run: the platform reports it once. Raises NotDurable."""
        self._ledger.agenda.plan(RUNS, [f"{hook_id}:{run_id}" for hook_id, run_id in runs], HOOK_AGAIN_SECS)

    def take_runs(self) -> list[tuple[str, RunId]]:
        """Return overdue hook and run ids; each is due again later, unless `forget_run` is called."""
        members = [member.partition(":") for member in self._ledger.agenda.take(RUNS)]
        return [(hook_id, RunId(run_id)) for hook_id, _, run_id in members]

    def forget_run(self, hook_id: str, run_id: RunId) -> None:
        self._ledger.agenda.drop(RUNS, f"{hook_id}:{run_id}")


def collect_run(
    ledger: Ledger, platform: Platform, settings: Settings, installation: str, hook: Hook, run_id: RunId
) -> SubmittedJob | None:
    """Order the job that collects a run; return None if it isn't the hook's, or is our own.

    Raises PlatformError, Refused and Unavailable.
    """
    run = get_run(platform, run_id)
    marker = read_marker(run.meta.user_agent)
    is_ours = ledger.runs.key_of(run_id) is not None or (marker is not None and marker.installation == installation)
    if is_ours or not hook.fits(run):
        return None
    return submit(hook.document(run_id), ledger=ledger, settings=settings, trusted=True, sender=Sender("hook"))
