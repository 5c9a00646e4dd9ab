"""A job as it is stored in the ledger."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, Json

from actorline.budgets.reservation import OwnBudget, Reservation
from actorline.errors import Code, Reason
from actorline.identifiers import JobKey, RunId
from actorline.jobs.document.delta import JobChanges
from actorline.jobs.document.guard import Broken, Enough
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.lengths import STORED
from actorline.jobs.groups import CareGroup, ChanceGroup, CollectionGroup, Group, NoticeGroup, RunGroup
from actorline.jobs.states import TERMINAL, State


class StopWish(StrEnum):
    """Why a job is to stop: it was cancelled, its deadline has passed, a hard budget of it is spent, its rows broke
    their contract, or there are enough of them. The last two only abort its run: its rows are delivered.
    """

    CANCEL = "cancel"
    EXPIRE = "expire"
    BUDGET = "budget"
    GUARD = "guard"
    ENOUGH = "enough"


class Intent(BaseModel):
    """Written before a start is sent: from then on a run may exist.

    `at`: unix seconds by Redis. `marker`: the run's later `meta.userAgent`. `sent_at`: when a request whose
    outcome is unclear was given up, so nothing of it was sent later; the platform's lists are trusted only some time
    after it. `input_sha256`: of the input read from `input_url`.
    """

    attempt: int
    marker: str
    at: float
    sent_at: float | None = None
    input_sha256: str | None = None


class Job(BaseModel):
    """The hash `job:{key}`; times are unix seconds by Redis.

    The hash is flat. Here its fields are in groups: `job.run.status` is the hash's `run_status`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: JobKey
    document: Json[JobDocument]
    document_hash: str = Field(alias="hash")
    state: State
    epoch: int
    attempt: int
    retries: int = 0  # by the command `retry`: each may end in its own manifest
    queued_at: float
    retried_at: float | None = None  # the deadline counts from the last `retry`
    ended_at: float | None = None
    delivered_at: float | None = None
    stop_wish: StopWish | None = Field(default=None, alias="wanted")  # set in any state, carried out by the next stage
    ordered_by: str | None = None  # over HTTP: the sender, as in `Sender.holder`
    fresh: bool = False  # we made the key ourselves, so no earlier run can carry its marker
    intent: Json[Intent] | None = None
    open_set: str | None = None  # where it is counted among its API key's open jobs
    batch: JobKey | None = None  # the key of the batch that it is a member of
    likeness: str | None = None  # equal for jobs that can share a delivery
    sink: str | None = None
    own_budget: Json[OwnBudget] | None = None  # that it shares with others, such as the members of its batch
    reservation: Json[Reservation] | None = None  # of the last start, in the budgets that the job falls under
    spent_usd: float = 0  # by the runs of earlier attempts
    stray_costs: Json[dict[RunId, float]] | None = None  # run id -> dollars: see `abort_stray.py`
    assumed_costs: Json[dict[RunId, Reservation]] | None = None  # of runs whose cost was never told: see `cost.py`
    figures_settled: bool = False  # cost and stats were read again some time after the end, or that was given up
    vanished: bool = False  # a retry has searched again for the vanished dataset
    waiting_for: str | None = None  # the code of the job's last wait
    waiting_since: float | None = None  # when it began
    waiting_until: float | None = None  # when it ends at the latest, if that is known
    failures: int = 0
    unclear_starts: int = 0  # of this attempt, whose runs were searched for and not found
    input_failures: int = 0  # failed tries to read `input_url`
    account_failures: int = 0  # tries in a row on workers that can't use its account
    failed_as: str | None = None  # the stage and the error that failed last
    failed_alike: int = 0  # how often in a row
    reason: Json[Reason] | None = None
    broken: Json[Broken] | None = None  # the first rule of `guard` that the rows broke
    enough: Json[Enough] | None = None  # why the run was stopped early
    manifest: str | None = None
    manifest_sha256: str | None = None  # its `fingerprint`; none if an earlier version ended the job
    delta_base: str | None = None  # the key of the job whose rows are compared, or NO_BASE, once that is decided
    changes: Json[JobChanges] | None = None

    run: RunGroup
    chances: ChanceGroup
    collection: CollectionGroup
    notice: NoticeGroup
    care: CareGroup

    @classmethod
    def read(cls, stored: Mapping[str, object]) -> "Job":
        """Return the job of a hash without its empty fields: each group takes its own fields from it."""
        return cls.model_validate({**stored, **dict.fromkeys(GROUPS, stored)}, context=STORED)

    @property
    def sink_url(self) -> str:
        """Return where the rows go; `{run_id}` is filled in as soon as the run is known."""
        return (self.sink or "").replace("{run_id}", self.run.id or "{run_id}")

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def waits_for(self) -> str | None:
        """Return the code of what a WAITING job waits for: without one of its own it searches for its start's run."""
        return self.waiting_for or Code.START_UNCLEAR if self.state is State.WAITING else None

    @property
    def deadline_at(self) -> float | None:
        seconds = self.document.deadline_secs
        return None if seconds is None else (self.retried_at or self.queued_at) + seconds

    @property
    def awaits_figures(self) -> bool:
        """Return whether the final cost and stats of its run are still to be read."""
        return self.run.id is not None and not self.figures_settled

    def stop_wish_at(self, now: float) -> StopWish | None:
        """Return why the job is to stop at a time; None while it isn't."""
        if self.stop_wish is None and self.deadline_at is not None and now > self.deadline_at:
            return StopWish.EXPIRE
        return self.stop_wish

    @property
    def total_cost_usd(self) -> float | None:
        """Return what all runs of the job cost; None while nothing is known."""
        others = self.spent_usd + sum((self.stray_costs or {}).values())
        return round((self.run.cost_usd or 0) + others, 6) if others else self.run.cost_usd


GROUPS: Final[Mapping[str, type[Group]]] = {
    "run": RunGroup,
    "chances": ChanceGroup,
    "collection": CollectionGroup,
    "notice": NoticeGroup,
    "care": CareGroup,
}
FIELDS: Final = (
    *(field.alias or name for name, field in Job.model_fields.items() if name not in GROUPS),
    *(field.alias or name for group in GROUPS.values() for name, field in group.model_fields.items()),
)
"""The fields of the hash that a job is read from."""
_MODELS: Final[tuple[type[BaseModel], ...]] = (Job, *GROUPS.values())
DEFAULTS: Final[Mapping[str, object]] = {
    field.alias or name: field.default
    for model in _MODELS
    for name, field in model.model_fields.items()
    if not field.is_required()
}
"""What a field of the hash that isn't there is read as."""
