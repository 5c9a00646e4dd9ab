"""The gateway's figures: name, type, meaning and labels of each. Makes `docs/metrics.md`.

All are read from the ledger when they are asked for, so every gateway reports the same.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

Labels = TypeVar("Labels", bound=tuple[str, ...])

KINDS: Final = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}


class Figure(NamedTuple):
    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


FIGURES: Final = tuple(
    Figure(f"actorline_{name}", kind, text, labels)
    for name, kind, text, labels in (
        ("jobs", "gauge", "Jobs that are kept, by state", ("state",)),
        ("account_jobs", "gauge", "Jobs of an account that haven't ended, by state", ("account", "state")),
        ("oldest_job_seconds", "gauge", "Seconds since the oldest job in the state was ordered", ("state",)),
        ("waiting_jobs", "gauge", "Jobs that wait, by what they wait for", ("code",)),
        ("parked_jobs", "gauge", "Running jobs that one list of runs polls together", ()),
        ("batches_open", "gauge", "Batches that upkeep looks after: those that haven't ended", ()),
        ("batch_members", "gauge", "Members of the first 100 open batches: open, or how they ended", ("state",)),
        ("stray_runs", "gauge", "Runs that no job wants and whose end isn't confirmed: they may be billing", ()),
        ("overdue_seconds", "gauge", "Seconds by which the most overdue job is late for upkeep; 0 if none is", ()),
        ("paused", "gauge", "1 for each account that is paused; * for all accounts", ("account",)),
        ("queue_messages", "gauge", "Messages waiting in the broker at upkeep's last check", ("queue",)),
        (
            "queue_busy_seconds",
            "gauge",
            "Seconds since the queue was last seen empty: its oldest message waits for that long at most",
            ("queue",),
        ),
        (
            "worker_unseen_seconds",
            "gauge",
            "Seconds since a worker that serves this queue was last seen; a live one is seen every 5 s",
            ("queue",),
        ),
        (
            "workers",
            "gauge",
            "Workers seen within 20 s, by the queues that they serve and their version",
            ("queues", "version"),
        ),
        (
            "upkeep_age_seconds",
            "gauge",
            "Seconds since upkeep last checked all that is due; workers start it every second",
            (),
        ),
        ("account_used", "gauge", "What an account's runs, ours and others, use of its limits", ("account", "of")),
        (
            "account_limit",
            "gauge",
            "The platform's limits of an account: runs, memory_gbytes, month_usd",
            ("account", "of"),
        ),
        (
            "account_read_seconds",
            "gauge",
            "Seconds since these were read; every 5 minutes while an account starts runs",
            ("account",),
        ),
        (
            "budget_usd",
            "gauge",
            "Dollars of a budget in the running day or month: its limit, what is spent, and what is reserved",
            ("budget", "period", "kind"),
        ),
        ("beats", "gauge", "Beats that run the schedules", ()),
        (
            "schedule_due_timestamp_seconds",
            "gauge",
            "The last due time that came to this outcome: ordered, waiting, skipped, missed, refused",
            ("schedule", "outcome"),
        ),
        ("schedule_late", "gauge", "1 if a due time passed a minute ago and no beat has decided on it", ("schedule",)),
        ("redis_used_bytes", "gauge", "Memory that Redis uses", ()),
        ("redis_max_bytes", "gauge", "Memory that Redis may use; at nine tenths of it new orders are refused", ()),
        ("redis_file_bytes", "gauge", "Size of Redis's append-only file, which is rewritten when it has doubled", ()),
        (
            "redis_file_ok",
            "gauge",
            "1 while Redis keeps an append-only file and can write it; otherwise nothing is started",
            (),
        ),
        ("redis_clients", "gauge", "Connections to Redis", ()),
        ("jobs_queued", "counter", "Jobs that were created", ()),
        ("auth_refused", "counter", "Requests refused because of a missing or wrong API key or webhook secret", ()),
        (
            "jobs_ended",
            "counter",
            "Jobs that ended, by state and reason (none: no reason); a retried one ends again",
            ("state", "code"),
        ),
        ("job_seconds", "summary", "Seconds from the order, or its last retry, to the job's end", ("state",)),
        ("waits", "counter", "Waits that jobs began, by reason; an uninterrupted one counts once", ("code",)),
        (
            "runs",
            "counter",
            "Runs of our jobs, each once: started, or found (a lost start, a run taken over)",
            ("how",),
        ),
        ("guards_broken", "counter", "Contracts for rows that were broken, by rule", ("rule",)),
        ("early_stops", "counter", "Runs stopped because of `stop_when`, by rule", ("rule",)),
        ("comparisons", "counter", "Deliveries compared with an earlier one (`delta`): made, or failed", ("outcome",)),
        ("changes", "counter", "Rows that comparisons found: added, removed, changed", ("kind",)),
        ("items", "counter", "Items that were stored", ()),
        ("pages", "counter", "Pages that were stored", ()),
        ("bytes", "counter", "Bytes of stored pages, as stored in the sink", ()),
        (
            "saved_runs",
            "counter",
            "Runs avoided or stopped: orders that joined a job, earlier deliveries reused, unwanted runs aborted",
            ("account", "how"),
        ),
        (
            "saved_usd",
            "counter",
            "What the avoided ones would have cost, by the job that was joined or reused; unknown for stopped ones",
            ("account", "how"),
        ),
        (
            "cost_usd",
            "counter",
            "Cost of the jobs' runs as far as it is known; a later correction downwards is taken from what follows",
            (),
        ),
    )
)
BY_NAME: Final = {figure.name: figure for figure in FIGURES}


def shown(name: str, samples: Mapping[Labels, float]) -> Metric:
    """Return a figure with its value for each value of its labels, as Prometheus's client writes it."""
    figure = BY_NAME[f"actorline_{name}"]
    family: GaugeMetricFamily | CounterMetricFamily = KINDS[figure.kind](figure.name, figure.help, labels=figure.labels)
    for labels, value in samples.items():
        family.add_metric(list(labels), value)
    return family


def summed(name: str, samples: Mapping[tuple[str, ...], tuple[int, float]]) -> Metric:
    """Return a summary with number and sum for each value of its labels."""
    figure = BY_NAME[f"actorline_{name}"]
    family = SummaryMetricFamily(figure.name, figure.help, labels=figure.labels)
    for labels, (number, total) in samples.items():
        family.add_metric(list(labels), number, total)
    return family
