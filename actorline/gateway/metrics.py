"""The tally as Prometheus metrics. Nothing is counted here, so all gateways report the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from actorline import __version__
from actorline.budgets.limits import Budgets
from actorline.budgets.status import BudgetStatus
from actorline.errors import Code
from actorline.jobs.guard import BROKEN_RULES, ENOUGH_RULES
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.budget_status import read_budgets
from actorline.ledger.queries.tally import Tally, read_tally

NANO: Final = 1_000_000_000
NO_FAILURE: Final = frozenset({
    Code.PAUSED, Code.START_UNCLEAR, Code.UNKNOWN_KEY, Code.REQUEST_INVALID, Code.CANCELLED, Code.DEADLINE,
    Code.STOPPED_EARLY,
})  # fmt: skip
"""Codes of waits, of other ends, and of requests that concern no job."""

LOSSES: Final = (
    Code.RUN_FAILED, Code.RUN_TIMED_OUT, Code.RUN_ABORTED, Code.DATASET_VANISHED, Code.DATASET_GREW,
    Code.PAGE_UNREADABLE, Code.RECORD_UNREADABLE, Code.FORMAT_FAILED, Code.SINK_FAILED, Code.GUARD_BROKEN,
    Code.INTERNAL,
)  # fmt: skip
"""Why a part of the rows may be missing, or isn't what it should be."""

RULES: Final[Mapping[str, Sequence[str]]] = {"guard-broken": BROKEN_RULES, "enough-rows": ENOUGH_RULES}

FROM_ZERO: Final = frozenset(
    {
        (State.DELIVERED, "none"),
        (State.EXPIRED, Code.DEADLINE),
        *product([State.PARTIAL], LOSSES),
        *product([State.FAILED], frozenset(Code) - NO_FAILURE),
    }
)
"""Ends that are exposed as 0 from the start: in a series that begins at 1 no alert sees the increase."""


class LedgerMetrics(Collector):
    """Reads the ledger once for each collection. Raises redis.RedisError."""

    def __init__(self, ledger: Ledger, budgets: Budgets) -> None:
        self._ledger, self._budgets = ledger, budgets

    def collect(self) -> Iterator[Metric]:
        tally = read_tally(self._ledger)
        yield from standing(tally)
        yield from totals(tally)
        yield budget_gauges(read_budgets(self._ledger, self._budgets))
        yield InfoMetricFamily("actorline_build", "The gateway's version", {"version": __version__})


def standing(tally: Tally) -> Iterator[Metric]:
    """Return gauges: how things are now."""
    jobs = GaugeMetricFamily("actorline_jobs", "Jobs that are kept, by state", labels=["state"])
    for state, number in tally.jobs.items():
        jobs.add_metric([state], number)
    yield jobs
    yield GaugeMetricFamily("actorline_parked_jobs", "Running jobs that one list of runs polls together", tally.parked)
    help_text = "Runs that no job wants and that aren't confirmed to have ended: they may be billing"
    yield GaugeMetricFamily("actorline_stray_runs", help_text, tally.strays)
    help_text = "Seconds by which the most overdue job is late for upkeep; 0 if none is"
    yield GaugeMetricFamily("actorline_overdue_seconds", help_text, tally.overdue_s)
    help_text = "1 for each account that is paused; * for all accounts"
    paused = GaugeMetricFamily("actorline_paused", help_text, labels=["account"])
    for account in sorted(tally.paused):
        paused.add_metric([account], 1)
    yield paused
    help_text = "Messages waiting in the broker at upkeep's last check"
    queues = GaugeMetricFamily("actorline_queue_messages", help_text, labels=["queue"])
    for queue, number in tally.queues.items():
        queues.add_metric([queue], number)
    yield queues
    help_text = "Seconds since a worker that serves this queue was last seen; a live one is seen every 5 s"
    unseen = GaugeMetricFamily("actorline_worker_unseen_seconds", help_text, labels=["queue"])
    for queue, seconds in tally.unseen_s.items():
        unseen.add_metric([queue], seconds)
    yield unseen
    if tally.sweep_age_s is not None:
        help_text = "Seconds since upkeep last checked all that is due; workers start it about every second"
        yield GaugeMetricFamily("actorline_upkeep_age_seconds", help_text, tally.sweep_age_s)


def budget_gauges(found: Iterable[BudgetStatus]) -> Metric:
    """Return what each budget allows in the day or month that is running, and what is taken of it."""
    help_text = "Dollars of a budget in the running day or month: its limit, what is spent, and what is reserved"
    gauges = GaugeMetricFamily("actorline_budget_usd", help_text, labels=["budget", "period", "kind"])
    for each in found:
        amounts = {"limit": each.limit_usd, "spent": each.spent_usd, "reserved": each.reserved_usd}
        for kind, usd in amounts.items():
            gauges.add_metric([each.budget, each.period, kind], usd)
    return gauges


def totals(tally: Tally) -> Iterator[Metric]:
    """Return counters over all jobs since the ledger was created, purged ones included."""
    yield CounterMetricFamily("actorline_jobs_queued", "Jobs that were created", tally.count("queued"))
    help_text = "Requests that the gateway refused because of a missing or wrong API key or webhook secret"
    yield CounterMetricFamily("actorline_auth_refused", help_text, tally.count("auth_refused"))
    ended = tally.counted("ended")
    help_text = "Jobs that ended, by state and reason (none: no reason); a retried job ends again"
    ends = CounterMetricFamily("actorline_jobs_ended", help_text, labels=["state", "code"])
    for labels in sorted(FROM_ZERO | ended.keys()):
        ends.add_metric(labels, ended.get(labels, 0))
    yield ends
    help_text = "Seconds from the order, or its last retry, to the job's end"
    seconds = SummaryMetricFamily("actorline_job_seconds", help_text, labels=["state"])
    for (state,), milliseconds in sorted(tally.counted("ended_ms").items()):
        number = sum(count for labels, count in ended.items() if labels[0] == state)
        seconds.add_metric([state], number, milliseconds / 1000)
    yield seconds
    begun = tally.counted("waits")
    help_text = "Waits that jobs began, by reason; an uninterrupted wait for one reason counts once"
    waits = CounterMetricFamily("actorline_waits", help_text, labels=["code"])
    for labels in sorted({(Code.START_UNCLEAR.value,), (Code.BUDGET.value,)} | begun.keys()):
        waits.add_metric(labels, begun.get(labels, 0))
    yield waits
    help_text = "Runs of our jobs, each once: started by us, or found (a lost start, or a run taken over)"
    runs = CounterMetricFamily("actorline_runs", help_text, labels=["how"])
    for how in ("started", "found"):
        runs.add_metric([how], tally.count(f"runs:{how}"))
    yield runs
    yield _by_rule(tally, "guard-broken", "actorline_guards_broken", "Contracts for rows that were broken, by rule")
    yield _by_rule(tally, "enough-rows", "actorline_early_stops", "Runs stopped because of stop_when, by rule")
    yield CounterMetricFamily("actorline_items", "Items that were stored", tally.count("items"))
    yield CounterMetricFamily("actorline_pages", "Pages that were stored", tally.count("pages"))
    yield CounterMetricFamily("actorline_bytes", "Bytes of stored pages, as stored in the sink", tally.count("bytes"))
    help_text = (
        "Cost of the jobs' runs as far as it is known; it grows while they run. "
        "A later correction downwards is subtracted from what follows"
    )
    yield CounterMetricFamily("actorline_cost_usd", help_text, tally.count("most_nano_usd") / NANO)


def _by_rule(tally: Tally, kind: str, name: str, help_text: str) -> Metric:
    counts = CounterMetricFamily(name, help_text, labels=["rule"])
    for rule in sorted(RULES[kind]):
        counts.add_metric([rule], tally.count(f"{kind}:{rule}"))
    return counts
