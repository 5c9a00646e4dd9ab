"""Runs: what was started, by whom and how, and the book in which they stand in the order of their start."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from actorline.emulator.dataset.items import ItemSource
from actorline.emulator.ids import random_id
from actorline.emulator.life import ABORTABLE, Life
from actorline.emulator.profile import Actor, ActorTask
from actorline.emulator.records import RecordStore

ORIGIN: Final = "API"
"""`meta.origin` of every run: the emulator knows no other way to start one."""


@dataclass(frozen=True)
class RunOptions:
    """The options as really used (`docs/platform-facts.md#run-object`)."""

    build: str
    build_number: str
    timeout_secs: int
    memory_mbytes: int
    max_items: int | None
    max_total_charge_usd: float | None


@dataclass
class Run:
    username: str
    actor: Actor
    actor_task: ActorTask | None
    options: RunOptions
    life: Life
    user_agent: str | None
    input_bytes: int
    records: RecordStore
    id: str = field(default_factory=random_id)
    dataset_id: str = field(default_factory=random_id)
    key_value_store_id: str = field(default_factory=random_id)
    request_queue_id: str = field(default_factory=random_id)
    _cut_short: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def item_source(self) -> ItemSource:
        return ItemSource.of(self.life.script)

    def abort(self, now: float) -> None:
        """Stop a run that can be stopped, and leave any other as it is: `docs/platform-facts.md#abort`."""
        if self.life.status(now) in ABORTABLE:
            self.life = replace(self.life, aborted_at=now)
            self._cut_short.set()

    def finish(self, now: float) -> None:
        """Let a run that goes on end now, as its script says that it does later; one that is being aborted, as that."""
        if not self.life.is_finished(now):
            self.life = self.life.finished(now)
            self._cut_short.set()

    def resurrect(self, now: float, timeout_secs: int | None) -> bool:
        """Set a run that has ended going again (`docs/platform-facts.md#resurrect`). False: it hasn't ended."""
        if not self.life.is_finished(now):
            return False
        self.life = self.life.resurrected(now, timeout_secs)
        self._cut_short.clear()
        return True

    async def wait(self, now: float, *, until: float) -> None:
        """Wait until the time `until`, or before if an abort or `finish` comes first."""
        if self._cut_short.is_set():
            await asyncio.sleep(until - now)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._cut_short.wait(), until - now)


class RunBook:
    """Every run there was. Other accounts' runs don't exist for an account."""

    def __init__(self) -> None:
        self._by_id: dict[str, Run] = {}
        self._by_dataset: dict[str, Run] = {}
        self._by_store: dict[str, Run] = {}

    def add(self, run: Run) -> None:
        self._by_id[run.id] = run
        self._by_dataset[run.dataset_id] = run
        self._by_store[run.key_value_store_id] = run

    def active(self, username: str, now: float) -> list[Run]:
        """Return the account's runs that hold memory."""
        return [run for run in self._by_id.values() if run.username == username and not run.life.is_finished(now)]

    def by_id(self, run_id: str, username: str, now: float) -> Run | None:
        """Return the run, once the replica that responds has heard of it: `docs/platform-facts.md#replica-lag`."""
        run = self._by_id.get(run_id)
        if run is None or now < run.life.created_at + run.life.script.get_lag_secs:
            return None
        return _if_owned(run, username)

    def of_any_account(self, run_id: str) -> Run | None:
        return self._by_id.get(run_id)

    def by_dataset(self, dataset_id: str, username: str) -> Run | None:
        return _if_owned(self._by_dataset.get(dataset_id), username)

    def dataset_of_any_account(self, dataset_id: str) -> Run | None:
        return self._by_dataset.get(dataset_id)

    def by_key_value_store(self, store_id: str, username: str) -> Run | None:
        return _if_owned(self._by_store.get(store_id), username)

    def listed(
        self, username: str, now: float, *, actor_id: str | None = None, actor_task_id: str | None = None
    ) -> Iterator[Run]:
        """Yield the runs that lists show by now, the oldest first."""
        for run in self._by_id.values():
            if (
                run.username == username
                and now >= run.life.created_at + run.life.script.list_lag_secs
                and actor_id in (None, run.actor.id)
                and actor_task_id in (None, run.actor_task.id if run.actor_task else "")
            ):
                yield run


def _if_owned(run: Run | None, username: str) -> Run | None:
    return run if run is not None and run.username == username else None
