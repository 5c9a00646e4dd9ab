"""Runs: reading, listing and aborting them, and the end of their log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, TypeVar

from pydantic import AfterValidator, Field

from actorline.identifiers import DatasetId, RunId
from actorline.logs import Logger
from actorline.platform.errors import NotFound, PlatformError, PlatformUnavailable, UnusableResponse
from actorline.platform.resource import Resource, safe_id
from actorline.platform.run_stats import RunStats
from actorline.platform.statuses import TERMINAL_STATUSES, RunStatus

if TYPE_CHECKING:  # who only reads the ledger has no use for an HTTP client
    from actorline.platform.client import Platform

# "The default value as well as the maximum is 1000" (OpenAPI, components/parameters/limit).
LIST_LIMIT: Final = 1000

FINAL_FIGURES_SECS: Final = 10.0
"""After a run's end its cost and stats may be preliminary: docs/platform-facts.md#final-figures."""

USD_MAX: Final = 1e9  # what is more would drown all other sums
STATUS_CHARS_MAX: Final = 100

NAMELESS: Final = RunId("a run without an id")
"""What stands for the id of a run that a list shows without one; nothing can be asked about it."""

Status = Annotated[str, AfterValidator(lambda status: status[:STATUS_CHARS_MAX])]

log = Logger(__name__)

RunT = TypeVar("RunT", bound="RunSight")

# A log has at most 10,485,760 characters of up to 4 bytes: docs/platform-facts.md#log
LOG_MAX_BYTES: Final = 4 * 10_485_760
LOG_TAIL_BYTES: Final = 65_536


class RunMeta(Resource):
    """How a run was started (OpenAPI, components/schemas/RunMeta)."""

    origin: str | None = None
    user_agent: str | None = None
    """User agent of the client that started the run. Proven in the run itself, only likely in list items."""


class RunOptions(Resource):
    """The options as really used (OpenAPI, components/schemas/RunOptions)."""

    build: str | None = None
    timeout_secs: float | None = None
    memory_mbytes: int | None = None
    max_items: int | None = None
    max_total_charge_usd: float | None = None


class RunSight(Resource):
    """What a list must say of a run that is only watched: thousands of them are read every few seconds. But for its id
    all may be missing: one run of somebody else's must not make the whole list unreadable.
    """

    id: Annotated[RunId, Field(pattern="[^.]")]  # one of dots only would name another path
    status: Status | None = None
    started_at: datetime | None = None
    """Set already while the status is READY."""
    usage_total_usd: Annotated[float, Field(ge=0, le=USD_MAX)] | None = None
    """At today's prices, "informational only"."""


class RunSummary(RunSight):
    """A run as it is in lists (OpenAPI, components/schemas/RunShort)."""

    act_id: str | None = None
    actor_task_id: str | None = None
    finished_at: datetime | None = None
    default_key_value_store_id: str | None = None
    meta: RunMeta = Field(default_factory=RunMeta)
    metamorphs: list[Any] = Field(default_factory=list)
    """The Actors that the run turned into; empty for nearly all, and in lists."""

    @property
    def is_odd(self) -> bool:
        """Return whether the platform doesn't say what each run has: then nothing else is believed without a look."""
        return self.status is None or self.started_at is None

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL_STATUSES

    @property
    def ended_by_itself(self) -> bool:
        return self.is_terminal and self.status != RunStatus.ABORTED


class Run(RunSummary):
    """A run (OpenAPI, components/schemas/Run)."""

    status: Status
    started_at: datetime
    act_id: str
    default_dataset_id: DatasetId
    default_key_value_store_id: str
    status_message: str | None = None
    exit_code: int | None = None
    stats: RunStats = Field(default_factory=RunStats)
    options: RunOptions = Field(default_factory=RunOptions)


def secs_until_final(ended_at: float, now: float) -> float:
    """Return seconds until the figures of a run that ended at `ended_at` (unix seconds) are final; 0: they are."""
    return max(ended_at + FINAL_FIGURES_SECS - now, 0.0)


def get_run(platform: Platform, run_id: RunId) -> Run:
    """Return the run as it is now. Raises NotFound also just after a start: `docs/platform-facts.md#replica-lag`."""
    return Run.from_platform(platform.get_data(f"actor-runs/{safe_id(run_id)}"))


def read_summary(platform: Platform, run_id: RunId) -> RunSummary:
    """Return as much as can be read of the run as it is now. Raises PlatformError."""
    return RunSummary.from_platform(platform.get_data(f"actor-runs/{safe_id(run_id)}"))


def wait_for_run(platform: Platform, run_id: RunId, seconds: int) -> Run:
    """Return the run as soon as it has ended, or as it is after `seconds` (at most 60:
    `docs/platform-facts.md#waiting`). The platform's read time-out must be longer.
    """
    return Run.from_platform(platform.get_data(f"actor-runs/{safe_id(run_id)}", {"waitForFinish": seconds}))


def abort_run(platform: Platform, run_id: RunId, *, gracefully: bool = False) -> Run:
    """Ask for a run's end, and return it as it is now. It does nothing to a run that has ended, so it is safe to
    repeat: `docs/platform-facts.md#abort`. One that has ended is returned also if the platform refuses the abort.

    The status becomes ABORTING, then ABORTED, after up to 30 s if `gracefully`: keep polling until it is terminal.
    Raises PlatformError.
    """
    params = {"gracefully": "true"} if gracefully else None
    try:
        return Run.from_platform(platform.post_data(f"actor-runs/{safe_id(run_id)}/abort", params))
    except NotFound:
        raise
    except PlatformError:
        with suppress(PlatformError):
            run = get_run(platform, run_id)
            if run.is_terminal:
                return run
        raise


def list_runs(
    platform: Platform, *, started_after: datetime, status: Sequence[str] = (), nameless: list[RunSummary] | None = None
) -> Iterator[RunSummary]:
    """Yield all runs of the account started at or after `started_after` (aware), oldest first, each once. What has no
    id is logged and left out; `nameless` gets what else it says.

    No run that was in the list when the listing began, and still is, is missed: each page begins at the time the last
    one ended with (`startedAfter` is inclusive: `docs/platform-facts.md#run-lists`), not at an offset, since offsets
    shift when runs are deleted or leave the `status` asked for. Neither `total` nor `limit` is believed
    (`docs/platform-facts.md#lists`): the end is where nothing new comes behind an offset.
    """
    for page in _pages(RunSummary, platform, started_after, status):
        for run in page.nameless:
            log.warning("listed_run_without_id", status=run.status, actor_id=run.act_id)
        if nameless is not None:
            nameless += page.nameless
        yield from page.runs


def list_pages_of_runs(
    shape: type[RunT], platform: Platform, *, started_after: datetime, status: Sequence[str] = ()
) -> Iterator[list[RunT]]:
    """Yield the runs of `list_runs`, in a shape that may have less of each, as they come: up to 1,000 at a time."""
    for page in _pages(shape, platform, started_after, status):
        yield page.runs


def get_log_tail(platform: Platform, run_id: RunId, lines: int = 20) -> list[str]:
    """Return the last `lines` lines of the log, out of its last 64 kB; the log is read through, but never held.

    There is no way to ask for the end only: `docs/platform-facts.md#log`.
    """
    from actorline.platform.body import Body

    tail, size_bytes = bytearray(), 0
    with Body(platform.stream(f"logs/{safe_id(run_id)}")) as log:
        for block in log.decoded_blocks(LOG_TAIL_BYTES):
            tail += block
            del tail[:-LOG_TAIL_BYTES]
            size_bytes += len(block)
            if size_bytes > LOG_MAX_BYTES:
                break
    return tail.decode(errors="replace").splitlines()[-lines:]


@dataclass
class _Page(Generic[RunT]):
    """What is new on a page of a list."""

    runs: list[RunT] = field(default_factory=list)
    nameless: list[RunSummary] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.runs and not self.nameless

    def add(self, item: Any, shape: type[RunT], seen: set[str]) -> None:
        """Add what an item says, unless it was seen before."""
        try:
            run = shape.from_platform(item)
        except UnusableResponse:
            said = item if isinstance(item, dict) else {}
            nameless = RunSummary.from_platform({**said, "id": NAMELESS, "metamorphs": None})
            if repr(nameless) not in seen:
                seen.add(repr(nameless))
                self.nameless.append(nameless)
            return
        if run.id not in seen:
            seen.add(run.id)
            self.runs.append(run)


def _pages(
    shape: type[RunT], platform: Platform, started_after: datetime, status: Sequence[str]
) -> Iterator[_Page[RunT]]:
    if started_after.tzinfo is None:
        raise ValueError("started_after needs a time zone")
    after, offset = _milliseconds(started_after), 0
    seen: set[str] = set()
    while True:
        params: dict[str, str | int] = {"startedAfter": _iso(after), "offset": offset, "limit": LIST_LIMIT}
        if status:
            params["status"] = ",".join(status)
        items, page = _read_items(platform, params), _Page[RunT]()
        for item in items:
            page.add(item, shape, seen)
        if not items or (offset and page.is_empty):
            return
        yield page
        last = _last_time(items) or after
        # a page on which all started in one millisecond is left by its offset
        after, offset = (last, 0) if last > after else (after, offset + len(items))


def _read_items(platform: Platform, params: dict[str, str | int]) -> list[Any]:
    page = platform.get_data("actor-runs", params)
    if not isinstance(page, dict) or not isinstance(page.get("items"), list):
        raise PlatformUnavailable("The response is not a list of runs as the platform documents it")
    items: list[Any] = page["items"]
    return items


def _last_time(items: Sequence[Any]) -> datetime | None:
    """Return when the last run that says so was started: none that is listed behind it was started before."""
    for item in reversed(items):
        started_at = _Start.model_validate(item).started_at if isinstance(item, dict) else None
        if started_at:
            return _milliseconds(started_at)
    return None


class _Start(Resource):
    started_at: datetime | None = None


def _milliseconds(time: datetime) -> datetime:
    """Round a time down to what the platform stores, so that an inclusive bound stays inclusive."""
    return time.astimezone(UTC).replace(microsecond=time.microsecond // 1000 * 1000)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
