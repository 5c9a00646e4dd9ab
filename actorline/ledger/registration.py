"""A checked order on its way into the ledger: what `register.lua` is told, and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from actorline.budgets.reservation import OwnBudget
from actorline.identifiers import JobKey
from actorline.jobs.actor_name import indexed_actor
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.member_key import batch_key_of
from actorline.jobs.states import LIVE, State
from actorline.ledger.callers import caller_arguments
from actorline.ledger.durability import Call
from actorline.ledger.stored_job import read_state
from actorline.ledger.timeline import ENTRIES_MAX

if TYPE_CHECKING:
    from actorline.jobs.allowance import Allowance
    from actorline.jobs.sender import Sender

Names = Callable[..., str]
"""Makes the name of a Redis key: `Store.name`."""


@dataclass(frozen=True)
class NewJob:
    """An order that was checked. `sink`: its own folder's URL; `fresh`: we made the key ourselves; `caller`: a Celery
    task's `id` and continuation; `allowance`: what it takes of its API key's day; `most_of_holder`: how many open jobs
    its API key may have; `budget`: one that it shares with others, besides those of the settings: see `batch_budget`;
    `member`: of a batch, its batch's key and its number there.
    """

    key: JobKey
    document: JobDocument
    sink: str
    fresh: bool
    caller: Mapping[str, Any] | None = None
    sender: Sender | None = None
    allowance: Allowance | None = None
    earlier_hash: str | None = None
    most_of_holder: int | None = None
    has_console: bool = True
    budget: OwnBudget | None = None
    member: tuple[JobKey, int] | None = None


@dataclass(frozen=True)
class Bounds:
    """Beyond which no job is created: how many may be open, and how much of Redis may be taken; None: any."""

    open_jobs: int | None = None
    redis_bytes: int | None = None


UNBOUNDED: Final = Bounds()


@dataclass(frozen=True)
class RegisterResult:
    """What came of an order: `created`, `joined` the job that exists, in `conflict` with it, `reserved` if the key is a
    batch's or of the form of its members', `stopped` if its batch makes no more members, `full` if its API key has all
    the open jobs it may have, `overload` if it is beyond the bounds of all, or `over` its key's day: then
    `spent_nano_usd` is what its orders take already.
    """

    outcome: str
    existing_hash: str
    state: State
    spent_nano_usd: int = 0


def registration(order: NewJob, *, token: str, due_in_s: float, most_open: int | None, name: Names) -> Call:
    """Return the keys and arguments of `register.lua` for an order; `token`: of `call_token`."""
    key, document, caller, sender = order.key, order.document, order.caller, order.sender
    allowance = order.allowance
    keys = [name("job", key), name("events", key), name("callers", key), name("ids"),
            name("job_ids", key), name("due"), name("state", State.QUEUED),
            name("tally"), name("spent", allowance.holder if allowance else ""),
            name("state", State.QUEUED, document.account.lower()),
            name("open", sender.holder if sender else ""), name("deadlines"),
            name("batch", key), *batch_names(key, name),
            *index_names(document, name)]  # fmt: skip
    args = [key, document.body_hash, token, due_in_s, ENTRIES_MAX,
            *caller_arguments(caller),
            json.dumps(sender.facts() if sender else {}),
            allowance.nano_usd if allowance else 0, allowance.limit_nano_usd if allowance else "",
            order.earlier_hash or "",
            "" if order.most_of_holder is None else order.most_of_holder,
            "" if document.deadline_secs is None else document.deadline_secs,
            order.member[1] if order.member else "",
            "" if most_open is None or order.member else most_open, name("state") + ":", ",".join(LIVE),
            *(part for pair in _fields(order).items() for part in pair)]  # fmt: skip
    return keys, args


def _fields(order: NewJob) -> dict[str, object]:
    """Return what is written to the hash of a new job, besides what the script finds out itself."""
    document, sender = order.document, order.sender
    return {
        # without defaults: an older version beside this one can still read it when a newer one has added a field
        "document": document.model_dump_json(exclude={"input"}, exclude_defaults=True),
        "input": document.input_body,
        "account": document.account,
        "sink": order.sink,
        "likeness": document.likeness,
        **({"fresh": 1} if order.fresh else {}),
        **({} if order.has_console else {"no_console": 1}),
        **({"own_budget": order.budget.model_dump_json()} if order.budget else {}),
        **({"ordered_by": sender.holder} if sender and sender.holder else {}),
        **({"batch": order.member[0], "input_sha256": input_sha256(document)} if order.member else {}),
    }


def input_sha256(document: JobDocument) -> str:
    """Return what tells whether two members have the same input: the input itself is dropped with the delivery."""
    return hashlib.sha256(document.input_body).hexdigest()


def batch_names(key: JobKey, name: Names) -> tuple[str, str]:
    """Return the Redis keys of the batch that a job with this key would be a member of."""
    batch = batch_key_of(key)
    return name("batch", batch), name("batch_live", batch)


def index_names(document: JobDocument, name: Names) -> list[str]:
    """Return the Redis keys of the sets that list a job by what was ordered."""
    return names_of_indexes(document.actor or document.actor_task, document.labels, name)


def names_of_indexes(target: str | None, labels: Mapping[str, str], name: Names) -> list[str]:
    """Return them for an Actor's or Actor task's name, unless it is an ID, and for each label."""
    actor = indexed_actor(target)
    return [*([name("actor", actor)] if actor else []), *(label_name(each, name) for each in labels.items())]


def label_name(label: tuple[str, str], name: Names) -> str:
    """Return the Redis key of the jobs with a label, a name and its value."""
    return name("label", "=".join(label))


def registered(outcome: str, found: str, state: str) -> RegisterResult:
    """Return what came of an order, from the reply of `register.lua`."""
    if outcome == "over":
        return RegisterResult(outcome, "", State.QUEUED, int(found))
    return RegisterResult(outcome, found, read_state(state))
