"""What this worker process has seen, counted in its memory: no figure costs a command of Redis.

Served by `workers/metrics.py` where a port is set. Each label has a bounded number of values: no keys, ids or Actors.
"""

from datetime import datetime
from itertools import pairwise, product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector

from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.platform.endpoints import ENDPOINTS, OTHER, endpoint_of

NO_RESPONSE: Final = "none"
ALERTED: Final = ("401", "429", NO_RESPONSE)
"""Statuses that are exposed as 0 from the start: in a series that begins at 1 no alert sees the increase."""

disable_created_metrics()  # a second series for each counter, which nobody reads
registry: Final = CollectorRegistry()
ProcessCollector(registry=registry)

requests: Final = Counter(
    "actorline_platform_requests",
    "Requests sent to the platform, by account, endpoint and status (none: no response came)",
    ["account", "endpoint", "status"],
    registry=registry,
)
request_seconds: Final = Histogram(
    "actorline_platform_request_seconds",
    "Seconds from a request to the head of the platform's response",
    ["endpoint"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=registry,
)
fetches: Final = Counter(
    "actorline_page_fetches",
    "Fetches of pages of rows: stored, failed and to be repeated (again; sink: the sink failed), or given up (failed)",
    ["outcome"],
    registry=registry,
)
stage_failures: Final = Counter(
    "actorline_stage_failures",
    "Stages of jobs that failed and are repeated, by stage and kind of error",
    ["stage", "error"],
    registry=registry,
)
phase_seconds: Final = Histogram(
    "actorline_job_phase_seconds",
    "Seconds that a delivered job took from the order to its run (wait), for the run (run), from the run's end to "
    "DELIVERED (deliver), and in all (all)",
    ["phase"],
    buckets=(1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 14400),
    registry=registry,
)
redelivered: Final = Counter(
    "actorline_messages_redelivered",
    "Messages of jobs that were taken over from a worker that died or was stopped, by task",
    ["task"],
    registry=registry,
)
takeover_seconds: Final = Histogram(
    "actorline_takeover_seconds",
    "Seconds that a job stood still until upkeep replaced its lost message",
    buckets=(20, 30, 40, 60, 120, 300, 600, 1800),
    registry=registry,
)
notices: Final = Counter(
    "actorline_notices",
    "Notices of ends: delivered, or failed and sent again later",
    ["outcome"],
    registry=registry,
)

for _outcome in ("stored", "again", "sink", "failed"):
    fetches.labels(_outcome)
for _outcome in ("delivered", "failed"):
    notices.labels(_outcome)
for _phase in ("wait", "run", "deliver", "all"):
    phase_seconds.labels(_phase)


class RequestMeter:
    """The `Meter` of `actorline/platform/session.py`, of one account."""

    def __init__(self, account: str) -> None:
        self._account = account
        for endpoint, status in product((*ENDPOINTS, OTHER), ALERTED):
            requests.labels(account, endpoint, status)

    def note_request(self, method: str, path: str, status: int | None, seconds: float) -> None:
        endpoint = endpoint_of(method, path)
        requests.labels(self._account, endpoint, NO_RESPONSE if status is None else str(status)).inc()
        if status is not None:
            request_seconds.labels(endpoint).observe(seconds)


def note_end(job: Job) -> None:
    """Observe how long a delivered job took, if its run began after it was ordered."""
    run, ordered_at = job.run, job.retried_at or job.queued_at
    if job.state is not State.DELIVERED or not (job.ended_at and run.started_at and run.finished_at):
        return
    moments = (ordered_at, _unix_secs(run.started_at), _unix_secs(run.finished_at), job.ended_at)
    if moments[1] < ordered_at:
        return
    for phase, (begin, end) in zip(("wait", "run", "deliver"), pairwise(moments), strict=True):
        phase_seconds.labels(phase).observe(max(end - begin, 0))
    phase_seconds.labels("all").observe(max(job.ended_at - ordered_at, 0))


def note_takeover(job: Job, now: float) -> None:
    """Observe how long a job stood still whose message was lost; a planned step is no takeover."""
    if not job.care.is_planned:
        takeover_seconds.observe(max(now - job.care.sent_at, 0))


def _unix_secs(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
