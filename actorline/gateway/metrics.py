"""What the ledger tells, as Prometheus metrics. Nothing is counted here, so all gateways report the same."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Final

from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from actorline import __version__
from actorline.budgets.reservation import NANO
from actorline.budgets.status import BudgetStatus
from actorline.errors import Code
from actorline.gateway.figures import shown, summed
from actorline.jobs.document.guard import BROKEN_RULES, ENOUGH_RULES
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.budget_status import read_budgets
from actorline.ledger.queries.fleet import Fleet, read_fleet
from actorline.ledger.queries.tally import Tally, read_tally
from actorline.schedules.book import Book, Reading
from actorline.schedules.decision import Outcome, is_late
from actorline.schedules.schedule import Schedule
from actorline.schedules.schedules_file import InvalidSchedules, find_schedules, load_schedules
from actorline.settings import Settings
from actorline.upkeep.unattended import UNSEEN_SECS

NO_FAILURE: Final = frozenset(
    {
        Code.PAUSED,
        Code.START_UNCLEAR,
        Code.UNKNOWN_KEY,
        Code.REQUEST_INVALID,
        Code.CANCELLED,
        Code.DEADLINE,
        Code.STOPPED_EARLY,
    }
)
"""Codes of waits, of other ends, and of requests that concern no job."""

LOSSES: Final = (
    Code.RUN_FAILED, Code.RUN_TIMED_OUT, Code.RUN_ABORTED, Code.DATASET_VANISHED, Code.DATASET_GREW,
    Code.PAGE_UNREADABLE, Code.RECORD_UNREADABLE, Code.FORMAT_FAILED, Code.SINK_FAILED, Code.GUARD_BROKEN,
    Code.DOCUMENT_INVALID, Code.INTERNAL,
)  # fmt: skip
"""Why a part of the rows may be missing, or isn't what it should be."""

FROM_ZERO: Final = frozenset(
    {
        (State.DELIVERED, "none"),
        (State.EXPIRED, Code.DEADLINE),
        *product([State.PARTIAL], LOSSES),
        *product([State.FAILED], frozenset(Code) - NO_FAILURE),
    }
)
"""Ends that are exposed as 0 from the start: in a series that begins at 1 no alert sees the increase."""


NO_WAITS: Final[Mapping[tuple[str, ...], int]] = {(Code.START_UNCLEAR,): 0, (Code.BUDGET,): 0}
"""Waits that have alerts, also exposed as 0 from the start."""


class LedgerMetrics(Collector):
    """Reads the ledger once for each collection. Raises redis.RedisError."""

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger, self._settings = ledger, settings

    def collect(self) -> Iterator[Metric]:
        tally, fleet = read_tally(self._ledger), read_fleet(self._ledger)
        yield from standing(tally)
        yield from work(tally, fleet)
        yield from accounts(fleet)
        yield budget_gauges(read_budgets(self._ledger, self._settings.budgets))
        yield from schedule_gauges(Book(self._ledger).read(), self._schedules())
        yield from self._redis()
        yield from totals(tally)
        yield InfoMetricFamily("actorline_build", "The gateway's version", {"version": __version__})

    def _schedules(self) -> Mapping[str, Schedule]:
        """Return the schedules, if the gateway can read their file: beat knows them without it."""
        try:
            file = find_schedules(self._settings)
            return load_schedules(file) if file else {}
        except InvalidSchedules:
            return {}

    def _redis(self) -> Iterator[Metric]:
        server = self._ledger.server()
        most = self._settings.redis_max_bytes or server.max_bytes
        yield shown("redis_used_bytes", {(): server.used_bytes})
        yield shown("redis_max_bytes", {(): min(most, server.max_bytes or most)})
        yield shown("redis_file_bytes", {(): server.aof_bytes})
        yield shown("redis_file_ok", {(): float(server.has_aof and server.writes_its_file)})
        yield shown("redis_clients", {(): server.clients})


def standing(tally: Tally) -> Iterator[Metric]:
    """Yield gauges: how the jobs stand now."""
    yield shown("jobs", {(state,): number for state, number in tally.jobs.items()})
    waiting = {**NO_WAITS, **tally.counted("waiting")}
    yield shown("waiting_jobs", {code: max(number, 0) for code, number in waiting.items()})
    yield shown("parked_jobs", {(): tally.parked})
    yield shown("stray_runs", {(): tally.strays})
    yield shown("overdue_seconds", {(): tally.overdue_s})
    yield shown("paused", {(account,): 1 for account in sorted(tally.paused)})
    yield shown("queue_messages", {(queue,): number for queue, number in tally.queues.items()})
    yield shown("worker_unseen_seconds", {(queue,): seconds for queue, seconds in tally.unseen_s.items()})
    if tally.sweep_age_s is not None:
        yield shown("upkeep_age_seconds", {(): tally.sweep_age_s})


def work(tally: Tally, fleet: Fleet) -> Iterator[Metric]:
    """Yield gauges: what waits, since when, and who works on it."""
    yield shown("oldest_job_seconds", {(state,): seconds for state, seconds in fleet.oldest_s.items()})
    busy = {(queue,): seconds if tally.queues.get(queue) else 0 for queue, seconds in fleet.busy_s.items()}
    yield shown("queue_busy_seconds", busy)
    alive = [worker for worker in fleet.workers if worker.unseen_s <= UNSEEN_SECS]
    yield shown("workers", Counter((",".join(worker.kinds), worker.version) for worker in alive))
    yield shown("batches_open", {(): fleet.batches_open})
    yield shown("batch_members", {(state,): number for state, number in fleet.members.items()})


def accounts(fleet: Fleet) -> Iterator[Metric]:
    """Yield gauges: what each account of the platform has to do, and how much of its limits is used."""
    yield shown("account_jobs", fleet.account_jobs)
    yield shown("account_used", _of_accounts({account: use.used for account, use in fleet.use.items()}))
    yield shown("account_limit", _of_accounts({account: use.limit for account, use in fleet.use.items()}))
    yield shown("account_read_seconds", {(account,): fleet.now - use.at for account, use in fleet.use.items()})


def _of_accounts(figures: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], float]:
    return {(account, of): value for account, each in figures.items() for of, value in each.items()}


def schedule_gauges(reading: Reading, schedules: Mapping[str, Schedule]) -> Iterator[Metric]:
    """Yield gauges: what came of each schedule's due times, and which is late."""
    places = {name: entry.place for name, entry in reading.entries.items() if entry.place.rhythm}
    yield shown("beats", {(): len(reading.beats)})
    outcomes = {
        (name, outcome.value): due
        for name, place in places.items()
        for outcome, due in (
            (Outcome.ORDERED, place.started),
            (Outcome.WAITING, place.waiting),
            (Outcome.SKIPPED, place.skipped),
            (Outcome.MISSED, place.missed),
            (Outcome.REFUSED, place.refused),
        )
        if due is not None
    }
    yield shown("schedule_due_timestamp_seconds", outcomes)
    known = {name: place for name, place in places.items() if name in schedules}
    late = {(name,): float(is_late(schedules[name], place, reading.now)) for name, place in known.items()}
    yield shown("schedule_late", late)


def budget_gauges(found: Iterable[BudgetStatus]) -> Metric:
    """Return what each budget allows in the day or month that is running, and what is taken of it."""
    amounts = {
        (each.budget, each.period, kind): usd
        for each in found
        for kind, usd in (("limit", each.limit_usd), ("spent", each.spent_usd), ("reserved", each.reserved_usd))
    }
    return shown("budget_usd", amounts)


def totals(tally: Tally) -> Iterator[Metric]:
    """Yield counters over all jobs since the ledger was created, purged ones included."""
    yield shown("jobs_queued", {(): tally.count("queued")})
    yield shown("auth_refused", {(): tally.count("auth_refused")})
    ended = tally.counted("ended")
    yield shown("jobs_ended", {labels: ended.get(labels, 0) for labels in sorted(FROM_ZERO | ended.keys())})
    yield summed("job_seconds", {state: (_number(ended, state), ms / 1000) for state, ms in _milliseconds(tally)})
    yield shown("waits", dict(sorted({**NO_WAITS, **tally.counted("waits")}.items())))
    yield shown("runs", {(how,): tally.count(f"runs:{how}") for how in ("started", "found")})
    yield shown("guards_broken", {(rule,): tally.count(f"guard-broken:{rule}") for rule in sorted(BROKEN_RULES)})
    yield shown("early_stops", {(rule,): tally.count(f"enough-rows:{rule}") for rule in sorted(ENOUGH_RULES)})
    yield shown("comparisons", {(each,): tally.count(f"comparisons:{each}") for each in ("made", "failed")})
    yield shown("changes", {(kind,): tally.count(f"changes:{kind}") for kind in ("added", "removed", "changed")})
    for name in ("items", "pages", "bytes"):
        yield shown(name, {(): tally.count(name)})
    yield shown("saved_runs", {(account, how): count for (how, account), count in tally.counted("saved").items()})
    saved = tally.counted("saved_nano_usd").items()
    yield shown("saved_usd", {(account, how): max(nano_usd, 0) / NANO for (how, account), nano_usd in saved})
    yield shown("cost_usd", {(): tally.count("most_nano_usd") / NANO})


def _milliseconds(tally: Tally) -> list[tuple[tuple[str, ...], int]]:
    return sorted(tally.counted("ended_ms").items())


def _number(ended: Mapping[tuple[str, ...], int], state: tuple[str, ...]) -> int:
    return sum(count for labels, count in ended.items() if labels[:1] == state)
