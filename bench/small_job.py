"""Seconds from a small run's end to its delivery, without webhook: the poll interval and the line's own work.

The run ends right after a poll, so the whole interval is waited for. See bench/README.md.
"""

import argparse
from datetime import datetime

from stand import Stand, spread, standing


def from_end_to_delivery(stand: Stand, actor: str) -> float:
    job = stand.client.wait(stand.client.submit({"actor": actor}), 60)
    ended, delivered = (datetime.fromisoformat(at or "") for at in (job.run_finished_at, job.delivered_at))
    return (delivered - ended).total_seconds()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10)
    options = parser.parse_args()
    with standing() as stand:
        actor = stand.actor("small", items=100, duration_secs=0.3)
        print(spread((from_end_to_delivery(stand, actor) for _ in range(options.jobs)), 2), "s")
