"""A run's figures settle some seconds after its end: the final cost and stats are read again and stored.

The first response after the end may have preliminary ones: `docs/platform-facts.md#final-figures`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from actorline.delivery.manifest import Manifest, fingerprint
from actorline.delivery.sink import MANIFEST, SinkError, open_sink
from actorline.identifiers import RunId
from actorline.jobs.cost import known_cost, settled_fields
from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.change import UNCHANGED, Change
from actorline.ledger.ledger import Ledger
from actorline.notify.notice import secs_until_notice
from actorline.platform.client import Platform
from actorline.platform.runs import Run, get_run, secs_until_final
from actorline.stages.silent_sink import soon

FIGURES_GIVE_UP_SECS: Final = 900.0
SETTLED: Final = "manifest.settled.json"


def secs_until_settled(job: Job, now: float) -> float | None:
    """Return seconds until the figures of an ended job may be read again; 0: now; None: there is nothing to read."""
    ended_at = job.ended_at
    if not job.awaits_figures or ended_at is None or now > ended_at + FIGURES_GIVE_UP_SECS:
        return None
    return secs_until_final(job.collection.started_at or ended_at, now)


def settle_figures(ledger: Ledger, platform: Platform, job: Job, *, is_last: bool) -> None:
    """Read the run again. Safe to repeat. Raises PlatformError and SinkError: then it must be repeated.

    `is_last`: no caller waits for its answer any more; if no notice is due either, nothing is left to do for the job.
    """
    run = get_run(platform, job.run.id or RunId(""))
    notice_in_s = secs_until_notice(job.document.notify, job.notice, job.ended_at, ledger.now())
    is_last = is_last and notice_in_s is None
    if not run.is_terminal:  # these aren't the job's figures
        _record_run_again(ledger, job, run, is_last=is_last)
        return
    if job.manifest:
        soon(job.sink_url, partial(_rewrite, ledger, job, run))
    _record_figures(ledger, job, run.usage_total_usd, is_last=is_last)


def _record_run_again(ledger: Ledger, job: Job, run: Run, *, is_last: bool) -> None:
    """Say that others have resurrected the run after the job's end: it isn't ours to abort, and it bills."""
    message = (
        "it was resurrected after the job's end. It is billed, and its further rows aren't in this delivery: abort it "
        f"in the console, or order run_id {run.id} under a new key"
    )
    told = {"run_status": run.status, "message": message}
    _record(ledger, job, None, TimelineEvent.RUN_AGAIN, told, is_last=is_last)


def _record_figures(ledger: Ledger, job: Job, usd: float | None, *, is_last: bool) -> None:
    event = None if usd in {None, job.run.cost_usd} else TimelineEvent.FIGURES_SETTLED
    _record(ledger, job, usd, event, {"cost_usd": usd}, is_last=is_last)


def _record(
    ledger: Ledger,
    job: Job,
    usd: float | None,
    event: TimelineEvent | None,
    data: Mapping[str, object],
    *,
    is_last: bool,
) -> None:
    ledger.change(
        job.key,
        Change(
            due_in_s=None if is_last else UNCHANGED,
            guards={"run_id": job.run.id, "assumed_costs": job.assumed_costs},
            event=event,
            data=data,
            fields=settled_fields(job, usd),
        ),
        states=TERMINAL,
        epoch=job.epoch,
    )


def _rewrite(ledger: Ledger, job: Job, run: Run) -> None:
    """Write the settled figures to the manifest, which is replaced as a whole. That of a retry stays as it is."""
    sink = open_sink(job.sink_url)
    stored = sink.read(MANIFEST)
    manifest = Manifest.model_validate_json(stored)
    if manifest.run is None or (manifest.run.id, manifest.retries) != (run.id, job.retries):
        return
    if job.manifest_sha256 and fingerprint(manifest) != job.manifest_sha256:
        return
    cost_usd = known_cost(job, run.usage_total_usd)
    facts = manifest.run.model_copy(update={"cost_usd": cost_usd, "stats": run.stats, "settled": True})
    if facts == manifest.run:  # a slow sink: the first call was no longer waited for
        return
    text = manifest.model_copy(update={"run": facts}).model_dump_json(indent=2).encode() + b"\n"
    sink.remove(SETTLED)
    if not sink.write_once(SETTLED, text):
        raise SinkError(f"{sink.file_url(SETTLED)} is being written by another process.")
    if sink.read(MANIFEST) != stored or not _is_still_ended(ledger, job):
        sink.remove(SETTLED)
        return
    sink.move(SETTLED, MANIFEST)


def _is_still_ended(ledger: Ledger, job: Job) -> bool:
    now = ledger.load(job.key)
    return now is not None and now.is_terminal and (now.epoch, now.retries) == (job.epoch, job.retries)
