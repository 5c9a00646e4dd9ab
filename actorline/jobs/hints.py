"""A webhook's event is a hint: it says which job to look at now, and is never believed. The platform's GET decides."""

import re
from dataclasses import dataclass
from typing import Final, cast

from actorline.jobs.hooks import Hooks
from actorline.jobs.ledger import Ledger
from actorline.jobs.states import State
from actorline.platform.marker import read_marker
from actorline.platform.webhooks import RUN_CREATED, RunEvent

DISPATCH_SECS: Final = 3 * 86_400  # the platform repeats a dispatch for about 32 hours (fact sheet, section 8)
HINTED_SECS: Final = 86_400  # an unclear start is settled within minutes
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True)
class Hint:
    """An event as it came. `dispatch_id`: the same on each repetition; `hook_id`: of a webhook that `add` made."""

    event: RunEvent
    dispatch_id: str | None
    hook_id: str | None


@dataclass(frozen=True)
class LookNow:
    """The job is due now: a worker should be told."""

    key: str


@dataclass(frozen=True)
class HookRun:
    """A run that somebody else started, which a hook may be there to collect; noted in the ledger."""

    hook_id: str
    run_id: str


def take_hint(ledger: Ledger, installation: str, hint: Hint) -> LookNow | HookRun | None:
    """Note in the ledger what the hint means; None: nothing, or it was taken before.

    Safe to repeat. A dispatch is remembered after it was taken, so that one that fails is taken when it comes again.
    Raises redis.RedisError and NotDurableError.
    """
    dispatch_id = hint.dispatch_id if _is_id(hint.dispatch_id) else None
    name = ledger.name("dispatch", dispatch_id)
    run_id = hint.event.event_data.actor_run_id
    if not (run_id and _is_id(run_id)) or (dispatch_id and ledger.redis.exists(name)):
        return None
    taken = _take(ledger, installation, hint, run_id)
    if dispatch_id:
        ledger.redis.set(name, "", ex=DISPATCH_SECS)
    return taken


def hinted_run(ledger: Ledger, key: str) -> str | None:
    """The run that an event named as the job's, while the job had a start of which nobody knew what came of it."""
    return cast("str | None", ledger.redis.get(ledger.name("hinted_run", key)))


def _take(ledger: Ledger, installation: str, hint: Hint, run_id: str) -> LookNow | HookRun | None:
    key = ledger.key_of_run(run_id)
    if key is not None:
        return None if hint.event.event_type == RUN_CREATED else _look_at_run(ledger, key)
    marker = read_marker(hint.event.resource.meta.user_agent)
    if marker and marker.installation == installation:
        key = ledger.key_of_marker(marker.digest)
        return None if key is None else _look_for_run(ledger, key, marker.attempt, run_id)
    if hint.hook_id and Hooks(ledger).plan_run(hint.hook_id, run_id):
        return HookRun(hint.hook_id, run_id)
    return None


def _look_at_run(ledger: Ledger, key: str) -> LookNow | None:
    states = {State.RUNNING, State.ABORTING}
    epoch = ledger.change(key, states=states, epoch=None, care_s=0, fields={"resume": True})
    return None if epoch is None else LookNow(key)


def _look_for_run(ledger: Ledger, key: str, attempt: int, run_id: str) -> LookNow | None:
    """The start's reply is under way still, or lost: then the search may end at once."""
    job = ledger.load(key)
    if job is None or job.is_terminal or job.intent is None or job.intent.attempt != attempt:
        return None
    ledger.redis.set(ledger.name("hinted_run", key), run_id, ex=HINTED_SECS)
    if job.state is not State.WAITING:  # somebody waits for the reply: left alone
        return None
    epoch = ledger.change(key, states={State.WAITING}, epoch=job.epoch, care_s=0, fields={"resume": True})
    return None if epoch is None else LookNow(key)


def _is_id(text: str | None) -> bool:
    return text is not None and _ID.fullmatch(text) is not None
