"""A gateway with jobs in every state, as its pages show them. `python tests/browser/populated.py` serves it."""

import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway_process import Gateway, running_gateway
from real_parts import Emulator, running_emulator, running_line, wait_for

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
PAGES = {"collect": {"page_items": 1000, "all_records": True}}
ROWS = 7_500


@contextmanager
def populated(valkey: str) -> Iterator[Gateway]:
    """Serve jobs that are delivered, partial, failed, cancelled, running and waiting."""
    with (
        tempfile.TemporaryDirectory() as home,
        running_emulator() as emulator,
        running_line(valkey, emulator, Path(home) / "line", "pages") as line,
        running_gateway(line) as gateway,
    ):
        (line.home / "schedules.toml").write_text(SCHEDULES)
        order_all(gateway, emulator)
        yield gateway


def order_all(gateway: Gateway, emulator: Emulator) -> None:
    image = {"body": PIXEL, "content_type": "image/svg+xml"}
    crawl = emulator.actor(
        "website-crawler",
        items=ROWS,
        duration_secs=3,
        usage_usd=0.0312,
        item_kind="plain",
        records={"OUTPUT": {"body": {"pages": ROWS, "errors": 3}}, "SCREENSHOT": image},
    )
    short = emulator.actor("price-monitor", items=240, duration_secs=0.5, item_kind="plain", usage_usd=0.0044)
    failing = emulator.actor(
        "shop-reviews",
        items=800,
        duration_secs=0.5,
        final_status="FAILED",
        status_message="The proxy refused the connection",
        item_kind="plain",
    )
    long = emulator.actor("sitemap", items=40_000, duration_secs=600, usage_usd=2.4)
    hostile = emulator.actor(
        "hostile",
        items=40,
        duration_secs=0.2,
        final_status="FAILED",
        status_message=HOSTILE,
        records={"OUTPUT": {"body": HOSTILE, "content_type": "text/html"}, "PICTURE": {**image, "body": HOSTILE}},
    )
    team = {"labels": {"team": "pricing", "env": "prod"}}
    failing_strictly = {"on_failure": {"deliver_partial": False}}
    batches = {
        "catalog-2026-11-28": {"template": {"actor": short}, "labels": team["labels"]},
        "reviews-all": {"template": {"actor": failing, **failing_strictly}},
        "hostile-batch": {"template": {"actor": hostile, **failing_strictly}, "labels": {"x": HOSTILE, "w": "w" * 200}},
        "sitemaps": {"template": {"actor": long}, "max_running": 3},
    }
    for key, document in batches.items():
        inputs = [{"shop": number} for number in range(12)]
        gateway.http.post("/v1/batches", json={"key": key, "inputs": inputs, **document}).raise_for_status()
    gateway.order(key="hostile", actor=hostile, labels={"x": HOSTILE, "long": "w" * 200}, collect={"all_records": True})
    gateway.delivered("docs-2026-11-28", actor=crawl, **PAGES, labels={"team": "search", "env": "prod"})
    for day in range(21, 28):
        gateway.order(key=f"prices-de-2026-11-{day}", actor=short, **team)
    gateway.order(key="reviews-2026-11-28", actor=failing, labels={"team": "reviews"})
    gateway.order(
        key="reviews-strict-2026-11-28",
        actor=failing,
        on_failure={"deliver_partial": False},
        labels={"team": "reviews"},
    )
    gateway.order(key="sitemap-cancelled", actor=long)
    gateway.order(key="sitemap-2026-11-28", actor=long, labels={"team": "search"})
    for key in ("catalog-2026-11-28", "reviews-all", "hostile-batch"):
        ended = gateway.http.get(f"/v1/batches/{key}", params={"wait": 60}).json()
        assert ended["delivered_at"] or ended["reason"], ended
    for key in ("hostile", "reviews-2026-11-28", "reviews-strict-2026-11-28", "prices-de-2026-11-27"):
        gateway.ended(key)
    wait_for(lambda: gateway.line.state("sitemap-cancelled") == "RUNNING", what="a run to cancel")
    gateway.http.post("/v1/jobs/sitemap-cancelled/cancel")
    gateway.ended("sitemap-cancelled")
    wait_for(lambda: gateway.line.state("sitemap-2026-11-28") == "RUNNING", what="a running job")


SCHEDULES = """
[schedules.nightly-prices]
cron = "0 3 * * *"
timezone = "Europe/Prague"
document = {actor = "demo/price-monitor", labels = {team = "pricing"}, options = {max_total_charge_usd = 1.5}}

[schedules.hourly-reviews]
every_secs = 3600
overlap = "queue"
document = {actor = "demo/shop-reviews"}

[schedules.old]
cron = "0 0 * * 1"
enabled = false
document = {actor = "demo/sitemap"}
"""
PIXEL = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 10"><rect width="16" height="10" fill="#3a7"/></svg>'

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with populated(sys.argv[1]) as found:
        print(found.url, flush=True)  # noqa: T201
        while True:
            time.sleep(60)
