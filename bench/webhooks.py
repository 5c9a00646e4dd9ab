"""How soon webhooks get their responses, and how soon after a run's end its job is delivered; see README.md."""

import argparse
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import gateway
from stand import Stand, spread, standing

from actorline.settings import load_settings
from actorline.webhooks.hooks import Hook, Hooks
from actorline.webhooks.receiver import webhook_secret

HOOK: Final = Hook(
    id="bench", account="default", target="actor", name="demo/told", target_id="t", template={}, serial="s", added_at=0
)
RESOURCE: Final = {"status": "SUCCEEDED", "meta": {"origin": "API", "userAgent": "somebody"}, "log": "x" * 2000}


class EventLoad(gateway.Load):
    """The platform, which tells of runs that no job is for."""

    wanted_status = b"200"
    secret = ""
    path = b"/v1/webhooks/apify"

    def request(self) -> bytes:
        data = {"actorId": "t", "actorRunId": uuid.uuid4().hex}
        event = {"eventType": "ACTOR.RUN.SUCCEEDED", "eventData": data, "resource": RESOURCE}
        headers = (
            b"Authorization: Bearer " + self.secret.encode(),
            b"X-Apify-Webhook-Dispatch-Id: " + os.urandom(8).hex().encode(),
        )
        return gateway.post(self.path, event, *headers)


class HookEventLoad(EventLoad):
    """The same of runs that a hook is for: each is noted on Redis's disk before the response."""

    path = b"/v1/webhooks/apify?hook=bench"


def measure_responses(rate: float, seconds: float) -> None:
    os.sched_setaffinity(0, gateway.OTHER_CORE)
    with gateway.standing() as target:
        Hooks(target.ledger).put(HOOK)
        EventLoad.secret = webhook_secret(target.ledger, load_settings()).get_secret_value()
        print("| load | webhooks/s | median ms | p99 ms | longest ms | CPU: gateway, Valkey, load | peak MB |")
        print("|---|---|---|---|---|---|---|")
        gateway.report(target, "(warm-up)", gateway.steady(target.port, 64, rate, 2, EventLoad))
        for name, kind in (("of no job", EventLoad), ("of a hook", HookEventLoad)):
            gateway.report(target, f"{name}, {rate:g}/s", gateway.steady(target.port, 64, rate, seconds, kind))
    os.sched_setaffinity(0, gateway.GATEWAY_CORE | gateway.OTHER_CORE)


@contextmanager
def reached() -> Iterator[Stand]:
    """The stack and, at the address that its starts name, the gateway."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with standing(public_url=f"http://127.0.0.1:{port}") as stand:
        command = [sys.executable, "-P", "-m", "actorline.gateway", "--port", str(port)]
        environment = {**os.environ, "ACTORLINE_HOME": str(stand.home)}
        log = stand.home / "gateway.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(command, env=environment, cwd=stand.home, stderr=errors)
        try:
            gateway.wait_for(lambda: b"listening" in log.read_bytes())
            yield stand
        finally:
            process.terminate()
            process.wait()


def deliveries(jobs: int) -> None:
    """One after the other: a run of a second with ten items, which nobody polls."""
    with reached() as stand:
        actor = stand.actor("told", items=10, duration_secs=1)
        waits = []
        for _ in range(jobs):
            key = stand.client.submit({"actor": actor, "poll_interval_secs": 600})
            result = json.loads(stand.client.wait(key, 60).model_dump_json())
            ended, delivered = (datetime.fromisoformat(result[name]) for name in ("run_finished_at", "delivered_at"))
            waits.append((delivered - ended).total_seconds())
    print(f"\nfrom a run's end to DELIVERED, {jobs} jobs, s: {spread(waits, 2)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--jobs", type=int, default=20)
    options = parser.parse_args()
    measure_responses(options.rate, options.seconds)
    deliveries(options.jobs)
