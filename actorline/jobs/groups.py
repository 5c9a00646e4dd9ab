"""The groups of a job's fields: each reads its own from the flat hash `job:{key}`, by alias where the name differs.

Times are unix seconds by Redis, but for those of the platform, which stay as it writes them.
"""

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, Json

from actorline.identifiers import DatasetId, RunId


class Group(BaseModel):
    """Some fields of a job that belong together."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def after(self, fields: Mapping[str, object]) -> Self:
        """Return the group as it is after a change of fields of the hash."""
        return self.model_validate({**self.model_dump(by_alias=True, round_trip=True), **fields})


class RunGroup(Group):
    """The run of the present attempt, as the platform last described it."""

    id: RunId | None = Field(default=None, alias="run_id")
    status: str | None = Field(default=None, alias="run_status")
    message: str | None = Field(default=None, alias="run_message")
    log: str | None = Field(default=None, alias="run_log")  # the last lines of a failed run's log
    actor_id: str | None = None
    dataset_id: DatasetId | None = None
    key_value_store_id: str | None = None
    started_at: str | None = Field(default=None, alias="run_started_at")
    finished_at: str | None = Field(default=None, alias="run_finished_at")
    known_at: float | None = Field(default=None, alias="started_at")  # it may have begun long before
    cost_usd: float | None = None
    adopted: bool = False
    no_console: bool = False  # it is an emulator's and has no page in the console
    hinted_at: float | None = None  # when a webhook last said that it has ended
    missing_since: float | None = None  # since when the platform has reported it as unknown


class Resurrection(BaseModel):
    """Written before a run is resurrected: whether that happened is read from the run, whatever the reply says.

    `expected`: the run's `stats.resurrectCount` after success. `finished_at`: the run's end before. `sent_at`: when a
    request with an unclear outcome was given up. It stays with the job, also after its end, until the run shows it, or
    until it can no longer happen. `is_done`: the platform has said that it did it, or the run has shown it, so it isn't
    asked for again. `is_lost`: the settle time has passed, and the run doesn't show it.
    """

    expected: int
    at: float
    finished_at: str | None
    sent_at: float | None = None
    is_done: bool = False
    is_lost: bool = False


class ChanceGroup(Group):
    """The further chances that `on_failure` gave the job after a failed run."""

    resurrects: int = 0
    resurrects_lost: int = 0  # of which nothing came, so that they were given back
    resurrection: Json[Resurrection] | None = None
    new_runs: int = 0


class CollectionGroup(Group):
    """How far the run's rows are collected: what its dataset holds, what is stored, and what comes next."""

    items_total: int | None = None  # of the dataset
    grew_at: float | None = None  # when the dataset of a running run was last seen to have grown
    items_end: int | None = None  # of a dataset that may still grow, when its counters had settled
    items: int = 0
    scanned: int = 0
    scanned_before: int = 0  # of which fetched ahead, while the run was running
    byte_count: int = Field(default=0, alias="bytes")
    pages: int = 0
    records: int = 0
    started_at: float | None = Field(default=None, alias="collecting_at")  # before that: when the run's end was seen
    stored_at: float | None = None  # when the last page was stored
    failing_pages: int = 0  # whose last try failed
    page_error: str | None = None  # of the last one of them
    planned_at: float | None = None  # when the pages of the last wave were planned
    pages_before: int = 0  # how many were stored at that time
    ahead_at: float | None = None  # when the running run's full pages are checked again
    ahead_sent_at: float | None = None  # when a message for that was sent, unless it is known to have arrived


class NoticeGroup(Group):
    """What was said to `notify` about the end."""

    task_told: bool = False  # `notify.task` was sent
    url_told: bool = False  # `notify.url` has responded 2xx
    failures: int = Field(default=0, alias="notice_failures")  # of sending to `notify.url`
    due_at: float | None = Field(default=None, alias="notice_at")  # when the notice to `notify.url` is sent again


class CareGroup(Group):
    """The fields by which upkeep decides whether the job's message is lost."""

    sent_at: float = 0  # when the job's last message was sent, as far as the ledger knows
    patience_s: float | None = Field(default=None, alias="patience")  # until upkeep checks again
    is_planned: bool = Field(default=False, alias="resume")  # the next step is planned for `due`; no message was lost
