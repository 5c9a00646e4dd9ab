"""Writes docs/metrics.md, the list of all metrics, from the code that makes them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import workers.metrics  # noqa: F401 - it registers the figures of the process
from actorline.gateway.counted_requests import RequestFigures
from actorline.gateway.figures import FIGURES, Figure
from tasks.shell.metrics import registry as worker_registry

TARGET: Final = Path(__file__).with_name("metrics.md")

HEAD: Final = """<!-- Made by docs/make_metrics.py from the code (`make docs`). -->
# Metrics

All are in Prometheus's text format. A scrape, alerts and a dashboard are in [config](../config/prometheus.yml);
`docker compose --profile monitoring up` starts Prometheus and Grafana with them. What each alert means:
[operations](operations.md#alerts).

A counter's name ends in `_total` where it is read; a histogram has `_bucket`, `_sum` and `_count`, a summary `_sum` and
`_count`. No label holds a job's key, a run's id or an Actor's name, which are without number: `actorline jobs --actor`
and the [pages](jobs-page.md) have them.
"""

LEDGER_HEAD: Final = """
## The installation

At the gateway's `/metrics`, with an API key of the scope `metrics`. They are kept in Redis and each thing is counted
once: every gateway reports the same, so take `max` of several, and no restart resets them.

"""

GATEWAY_HEAD: Final = """
## Each gateway

At the same `/metrics`, of that process alone since its start: add those of several gateways up. Webhooks of the
platform that were taken are status 200 of `POST /v1/webhooks/apify`, forged ones status 401.

"""

WORKER_HEAD: Final = """
## Each worker

At a port of its own, where `ACTORLINE_METRICS_PORT` is set (compose does so), of that process alone since its start,
together with `process_resident_memory_bytes`, `process_open_fds` and others of the process. Celery's own, by task and
worker, are at Flower's `/metrics`, with Flower's password.

"""

TABLE_HEAD: Final = """| Metric | Type | Labels | Meaning |
|---|---|---|---|
"""


def metrics_text() -> str:
    """Return the page."""
    build = Figure("actorline_build", "info", "The gateway's version", ("version",))
    parts = (
        (LEDGER_HEAD, (*FIGURES, build)),
        (GATEWAY_HEAD, _figures(RequestFigures().registry)),
        (WORKER_HEAD, _figures(worker_registry)),
    )
    return HEAD + "".join(f"{head}{TABLE_HEAD}{_table(figures)}" for head, figures in parts)


def _figures(registry: CollectorRegistry) -> Iterator[Figure]:
    """Yield what a registry reports of ours."""
    for collector in list(registry._collector_to_names):  # noqa: SLF001 - it has no public list
        if isinstance(collector, MetricWrapperBase):
            (metric,) = collector.describe()
            yield Figure(metric.name, metric.type, metric.documentation, tuple(collector._labelnames))  # noqa: SLF001


def _table(figures: Iterable[Figure]) -> str:
    rows = (
        (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.help) for each in figures
    )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    TARGET.write_text(metrics_text())
