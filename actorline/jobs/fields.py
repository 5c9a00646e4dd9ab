"""The fields that a change writes to a job, by name and type: an unknown name is a type error."""

from collections.abc import Mapping
from typing import Final, Literal, TypedDict

from actorline.budgets.reservation import Reservation
from actorline.errors import Reason
from actorline.identifiers import DatasetId, RunId
from actorline.jobs.document.delta import JobChanges
from actorline.jobs.document.guard import Broken, Enough
from actorline.jobs.groups import Resurrection
from actorline.jobs.job import Intent, StopWish
from actorline.jobs.states import State

NOW: Final = "@now"
"""Replaced by the time of the change, by Redis's clock."""

Moment = float | Literal["@now"] | None

STORED_AS: Final = {"stop_wish": "wanted", "is_planned": "resume"}
"""The fields that have another name in the hash: names on the wire stay when a word changes."""


class JobFields(TypedDict, total=False):
    """The fields of the hash, each typed as `Job` and its groups read it; None empties a field. A known cost stays."""

    state: State
    epoch: int | None
    attempt: int | None
    retries: int | None
    retried_at: Moment
    stop_wish: StopWish | None
    intent: Intent | None
    sink: str | None
    reservation: Reservation | None
    run_id: RunId | None
    run_status: str | None
    run_message: str | None
    actor_id: str | None
    dataset_id: DatasetId | None
    key_value_store_id: str | None
    adopted: bool | int | None
    missing_since: Moment
    hinted_at: Moment
    resurrects: int | None
    resurrects_lost: int | None
    resurrection: Resurrection | None
    new_runs: int | None
    run_log: str | None
    items_total: int | None
    items_end: int | None
    grew_at: Moment
    items: int | None
    scanned: int | None
    bytes: int | None
    pages: int | None
    records: int | None
    scanned_before: int | None
    stored_at: Moment
    failing_pages: int | None
    cost_usd: float
    task_told: bool | int | None
    url_told: bool | int | None
    notice_failures: int | None
    notice_at: Moment
    figures_settled: bool | int | None
    spent_usd: float | None
    stray_costs: Mapping[RunId, float] | None
    assumed_costs: Mapping[RunId, Reservation] | None
    started_at: Moment
    run_started_at: str | None
    run_finished_at: str | None
    collecting_at: Moment
    ended_at: Moment
    delivered_at: Moment
    ahead_at: Moment
    ahead_sent_at: Moment
    planned_at: Moment
    pages_before: int | None
    sent_at: Moment
    patience: float | None
    vanished: bool | int | None
    is_planned: bool | int | None
    waiting_for: str | None
    waiting_since: Moment
    waiting_until: Moment
    failures: int | None
    unclear_starts: int | None
    input_failures: int | None
    account_failures: int | None
    failed_as: str | None
    failed_alike: int | None
    reason: Reason | None
    broken: Broken | None
    enough: Enough | None
    manifest: str | None
    manifest_sha256: str | None
    delta_base: str | None
    changes: JobChanges | None
    poll_no: int | None
    poll_by: str | None
    poll_until: Moment
