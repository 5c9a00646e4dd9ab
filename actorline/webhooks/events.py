"""A webhook's event is a hint: it says which job to check now, and is never trusted. The platform's GET decides."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from actorline.identifiers import JobKey, RunId
from actorline.jobs.fields import NOW, JobFields
from actorline.jobs.states import State
from actorline.ledger.change import Change
from actorline.ledger.ledger import Ledger
from actorline.ledger.webhooks import EventFacts
from actorline.platform.marker import read_marker
from actorline.platform.webhooks import RUN_CREATED, RUN_ENDED, RunEvent
from actorline.webhooks.hooks import Hooks

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Hint:
    """The used parts of an event. `dispatch_id`: the same on each repetition; `hook_id`: of a hook's webhook."""

    event_type: str
    run_id: RunId
    user_agent: str | None
    dispatch_id: str | None
    hook_id: str | None

    @classmethod
    def of(cls, event: RunEvent, dispatch_id: str | None, hook_id: str | None) -> "Hint | None":
        """Return the hint of an event; None: it is not about a run."""
        run_id = _as_id(event.event_data.actor_run_id)
        if run_id is None:
            return None
        return cls(
            event.event_type, RunId(run_id), event.resource.meta.user_agent, _as_id(dispatch_id), _as_id(hook_id)
        )


@dataclass(frozen=True)
class LookNow:
    """The job is due now: a worker should be notified."""

    key: JobKey


@dataclass(frozen=True)
class HookRun:
    """A run that others started and that a hook may have to collect; noted in the ledger."""

    hook_id: str
    run_id: RunId


def take_hints(ledger: Ledger, installation: str, hints: Sequence[Hint]) -> list[LookNow | HookRun | None]:
    """Note each hint in the ledger and return what it means; None: nothing, or it was already handled.

    Safe to repeat. A dispatch is remembered only after it was handled, so one that fails is handled when repeated.
    Raises redis.RedisError and NotDurable.
    """
    known = ledger.webhooks.look_up([(hint.dispatch_id or "", hint.run_id, hint.hook_id or "") for hint in hints])
    taken = [_take(ledger, installation, hint, facts) for hint, facts in zip(hints, known, strict=True)]
    Hooks(ledger).plan_runs([(run.hook_id, run.run_id) for run in taken if isinstance(run, HookRun)])
    ledger.webhooks.note_handled(hint.dispatch_id for hint in hints if hint.dispatch_id)
    return taken


def _take(ledger: Ledger, installation: str, hint: Hint, known: EventFacts) -> LookNow | HookRun | None:
    if known.is_taken:
        return None
    if known.key is not None:
        return None if hint.event_type == RUN_CREATED else _look_at_run(ledger, known.key, hint.event_type)
    marker = read_marker(hint.user_agent)
    if marker and marker.installation == installation:
        key = ledger.runs.key_of_marker(marker.digest)
        return None if key is None else _look_for_run(ledger, key, marker.attempt, hint.run_id)
    return HookRun(hint.hook_id, hint.run_id) if hint.hook_id and known.has_hook else None


def _look_at_run(ledger: Ledger, key: JobKey, event_type: str) -> LookNow | None:
    """Plan a look at once; a run that is being aborted is looked at every second, and each look asks for its abort."""
    fields: JobFields = {"is_planned": True}
    if event_type in RUN_ENDED:
        fields["hinted_at"] = NOW
    epoch = ledger.change(key, Change(due_in_s=0, fields=fields), states={State.RUNNING}, epoch=None)
    return None if epoch is None else LookNow(key)


def _look_for_run(ledger: Ledger, key: JobKey, attempt: int, run_id: RunId) -> LookNow | None:
    """Note the run for a start whose reply is still missing; if it is lost, the search can end at once."""
    job = ledger.load(key)
    if job is None or job.is_terminal or job.intent is None or job.intent.attempt != attempt:
        return None
    ledger.webhooks.note_hinted_run(key, run_id)
    if job.state is not State.WAITING:  # an execution is waiting for the reply
        return None
    epoch = ledger.change(key, Change(due_in_s=0, fields={"is_planned": True}), states={State.WAITING}, epoch=job.epoch)
    return None if epoch is None else LookNow(key)


def _as_id(text: str | None) -> str | None:
    """Return the text if it looks like an id; only then may it become part of a name in Redis."""
    return text if text is not None and _ID.fullmatch(text) else None
