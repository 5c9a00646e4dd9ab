"""What a start asks of the ledger, and tells it, under its lease: one command each."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from redis.exceptions import LockNotOwnedError

from actorline.identifiers import RunId
from actorline.jobs.job import Job
from actorline.ledger.agenda import LATER_SEARCH_SECS
from actorline.ledger.continuity import HistoryGap, beat_arguments
from actorline.ledger.ledger import Lease, Ledger
from actorline.platform.marker import digest_of


@dataclass(frozen=True)
class Begun:
    """What holds under a start lease. `runs`: the attempt's, the first one first; `gap`: the last one in the ledger's
    history; `lost_runs`: those that the ledger had forgotten, None if the account wasn't searched since that gap.
    """

    lease: Lease
    runs: Sequence[RunId]
    gap: HistoryGap
    lost_runs: Sequence[RunId] | None


def begin_start(ledger: Ledger, job: Job, *, lease_s: float, unknown_s: float) -> Begun | None:
    """Take the job's start lease; None if another execution has it."""
    account, token = job.document.account, secrets.token_hex(16)
    lease = ledger.lease("start", job.key, seconds=lease_s)
    keys = [lease.name, ledger.name("runs", job.key), ledger.name("looked_back"), ledger.name("lost_runs", account)]
    history, args = beat_arguments(ledger, unknown_s=unknown_s)
    about = [token, int(lease_s * 1000), job.attempt, account, f"{digest_of(job.key)}.{job.attempt}"]
    found = ledger.run_script("begin_start", [*keys, *history], [*about, *args])
    if not found:
        return None
    lease.hold(token)
    runs, searched, lost, gap, beat = found
    ledger.last_beat = float(beat)
    return Begun(lease, json.loads(runs), HistoryGap(gap), json.loads(lost) if searched == gap else None)


def announce_start(ledger: Ledger, job: Job, lease: Lease, *, lease_s: float) -> None:
    """Renew the lease before the intent is written, and remember whose marker goes out. Raises LockNotOwnedError."""
    keys = [lease.name, ledger.name("markers"), ledger.name("sweeps")]
    about = [digest_of(job.key), job.key, job.document.account, LATER_SEARCH_SECS]
    if not ledger.run_script("announce", keys, [lease.token, int(lease_s * 1000), *about]):
        raise LockNotOwnedError("The start lease is another execution's", lock_name=str(lease.name))
