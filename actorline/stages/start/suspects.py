"""Runs in which no marker can be read, or can't be believed: compared with ours by what they run, with which INPUT."""

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from actorline.jobs.document.parse import MAX_INPUT_BYTES
from actorline.jobs.job import Job
from actorline.ledger.ledger import Ledger
from actorline.platform import errors as platform_errors
from actorline.platform.actors import get_actor, get_actor_task
from actorline.platform.client import Platform
from actorline.platform.key_value_stores import open_record
from actorline.platform.runs import NAMELESS, RunSummary, read_summary

INPUT: Final = "INPUT"  # docs/platform-facts.md#input
BLOCK_BYTES: Final = 256 * 1024
STORED_BYTES_MAX: Final = 4 * MAX_INPUT_BYTES  # what the platform adds to an input, with room to spare


def may_be_ours(
    ledger: Ledger, platform: Platform, job: Job, is_ours: Callable[[bytes], bool], runs: Iterable[RunSummary]
) -> list[RunSummary]:
    """Return the runs that can be this job's: known for no other job, of its Actor or Actor task, and with its input.

    `is_ours`: whether an INPUT may come from what the start sent. Raises PlatformUnavailable: then nothing is known.
    """
    target = _Target.of(platform, job)
    return [
        run
        for run in runs
        if ledger.runs.key_of(run.id) in {None, job.key} and target.fits(run) and _has_input(platform, run, is_ours)
    ]


@dataclass(frozen=True)
class _Target:
    """What the job starts: ids as the platform resolves the names; None where it doesn't know them."""

    platform: Platform
    actor_id: str | None
    actor_task_id: str | None

    @classmethod
    def of(cls, platform: Platform, job: Job) -> "_Target":
        try:
            if job.document.actor_task:
                actor_task = get_actor_task(platform, job.document.actor_task)
                return cls(platform, actor_task.act_id, actor_task.id)
            return cls(platform, get_actor(platform, job.document.actor or "").id, None)
        except (platform_errors.NotFound, platform_errors.Forbidden):
            return cls(platform, None, None)

    def fits(self, run: RunSummary) -> bool:
        if self.actor_task_id:
            return run.actor_task_id in {None, self.actor_task_id}
        if self.actor_id in {None, run.act_id}:
            return True
        whole = _as_it_says(self.platform, run)
        if whole is None or whole.act_id is None:
            return True
        return whole.act_id == self.actor_id or bool(whole.metamorphs)  # it may have begun as a run of our Actor


def _as_it_says(platform: Platform, run: RunSummary) -> RunSummary | None:
    """Return what the run says of itself; None where nothing can be asked, or nothing is said."""
    if run.id == NAMELESS:
        return None
    try:
        return read_summary(platform, run.id)
    except (platform_errors.NotFound, platform_errors.UnusableResponse):
        return None


def _has_input(platform: Platform, run: RunSummary, is_ours: Callable[[bytes], bool]) -> bool:
    """Return whether the run's INPUT can be ours.

    Each start of ours has one, and a record can be read as soon as it was written (`docs/platform-facts.md#records`): a
    run without INPUT is somebody else's, and so is one larger than any start could make it: its Actor wrote it. One
    that doesn't say where its INPUT is may be ours.
    """
    store = run.default_key_value_store_id
    if store is None and (whole := _as_it_says(platform, run)):
        store = whole.default_key_value_store_id
    if store is None:
        return True
    stored = bytearray()
    try:
        with contextlib.closing(open_record(platform, store, INPUT)) as record:
            for block in record.blocks(BLOCK_BYTES):
                stored += block
                if len(stored) > STORED_BYTES_MAX:
                    return False
    except platform_errors.NotFound:
        return False
    except platform_errors.Forbidden:
        return True
    return is_ours(bytes(stored))
