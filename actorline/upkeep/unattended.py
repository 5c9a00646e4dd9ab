"""Jobs without workers: how commands report them."""

from itertools import islice
from pathlib import Path
from typing import Final

from actorline.identifiers import JobKey
from actorline.jobs.job import Job
from actorline.jobs.states import LIVE, State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.tally import Tally, read_tally
from actorline.platform.statuses import TERMINAL_STATUSES

UNSEEN_SECS: Final = 20.0  # a worker records its presence every 5 s
NAMED_JOBS: Final = 3
COMMAND: Final = "actorline"
LIFE: Final = (State.QUEUED, State.WAITING, State.STARTING, State.RUNNING, State.ABORTING, State.COLLECTING)
BILLING_FIRST: Final = (
    State.RUNNING,
    State.ABORTING,
    State.STARTING,
    State.COLLECTING,
    State.WAITING,
    State.QUEUED,
)


def missing_workers(tally: Tally, *, unseen_for_s: float = UNSEEN_SECS) -> dict[str, float | None]:
    """Return the kinds of worker that are missing: seconds since one was seen, None for never."""
    unseen = {kind: tally.unseen_s.get(kind) for kind in ("control", "fetch")}
    return {kind: seconds for kind, seconds in unseen.items() if seconds is None or seconds >= unseen_for_s}


def were_seen(ledger: Ledger) -> bool:
    """Return whether workers of each kind have recorded their presence lately: busy ones may be late with a reply."""
    return not missing_workers(read_tally(ledger))


def describe_missing(missing: dict[str, float | None]) -> list[str]:
    """Return `fetch worker runs (last seen 360 s ago)` for each missing kind."""
    return [
        f"{kind} worker runs ({'never seen' if seconds is None else f'last seen {seconds:,.0f} s ago'})"
        for kind, seconds in missing.items()
    ]


def describe_unattended(ledger: Ledger, *, logs: Path | None = None, has_workers: bool = True) -> str | None:
    """Return which live jobs have no worker; None: there are none, or workers are running.

    `logs`: those of a running stack, whose workers hang or can't start. `has_workers`: False where the stack that
    alone serves the ledger isn't running, so that nothing has to be waited for.
    """
    missing = missing_workers(read_tally(ledger), unseen_for_s=UNSEEN_SECS if has_workers else 0)
    unfinished = describe_unfinished(ledger, logs=logs) if missing else None
    if unfinished is None:
        return None
    return f"No {' and no '.join(describe_missing(missing))}. {unfinished}"


def describe_unfinished(ledger: Ledger, *, logs: Path | None = None, command: str = COMMAND) -> str | None:
    """Return the live jobs, which a stopping stack leaves unfinished, and how to continue; None: there are none.

    `logs`: see `describe_unattended`. `command`: the command that reaches this ledger.
    """
    jobs = read_tally(ledger).jobs
    number = sum(jobs[state] for state in LIVE)
    if not number:
        return None
    keys = _keys_to_name(ledger)
    named = [_describe(key, job) for key, job in zip(keys, ledger.load_many(keys), strict=True)]
    more = [f"{number - len(named):,} more"] if number > len(named) else []
    them = "it" if number == 1 else "them"
    way_on = f"`{command} up` continues {them}"
    if logs is not None:
        way_on = f"The stack is running, so its workers hang or can't start: see {logs}. Then restart `actorline up`"
    return (
        f"{number:,} job{' is' if number == 1 else 's are'} unfinished: {', '.join([*named, *more])}. "
        f"{way_on}; `{command} cancel KEY` stops one."
    )


def _keys_to_name(ledger: Ledger) -> list[JobKey]:
    """Return the keys of some live jobs. States are read in the order of a job's life: one that moves on is seen."""
    found = {key: state for state in LIFE for key, _ in islice(ledger.list_keys(state), NAMED_JOBS)}
    return sorted(found, key=lambda key: BILLING_FIRST.index(found[key]))[:NAMED_JOBS]


def _describe(key: JobKey, job: Job | None) -> str:
    """Return the key, state and run. `job` None: it has ended meanwhile, or this version can't read it."""
    if job is None:
        return key
    if job.run.id is None or job.run.status in TERMINAL_STATUSES:
        return f"{key} ({job.state})"
    return f"{key} ({job.state}, its run {job.run.id} may be billing)"
