"""Redis commands of a small job, counted by `MONITOR`: one item, a run that ends at once.

First those of an idle line, a second; then those of some jobs, ordered at once, by what they are and whose keys they
touch. `--one` prints each command of one job in its order.
"""

import argparse
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from stand import Stand, standing

IDLE_SECS: Final = 20.0
OWN: Final = re.compile(r"^(actorline[:.][a-z_]+|celery-task-meta|_kombu\.binding|unacked\w*|/\d+\.\w+)")
SCRIPTED: Final = frozenset({"EVALSHA", "EVAL"})


@contextmanager
def watched(stand: Stand) -> Iterator[list[dict[str, Any]]]:
    """Collect the commands that clients send; what a script does isn't among them."""
    seen: list[dict[str, Any]] = []
    client = stand.ledger.redis

    def listen() -> None:
        while not seen or "the end of the watch" not in seen[-1]["command"]:
            found = monitor.next_command()
            if found["client_type"] != "lua":
                seen.append(found)

    with client.monitor() as monitor:
        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield seen
        finally:
            client.echo("the end of the watch")
            thread.join()
            seen.pop()


def named(command: str, scripts: dict[str, str]) -> str:
    """Return a command's name and the kind of key that it begins with."""
    words = command.split(" ", 3)
    name = words[0].upper()
    if name in SCRIPTED:
        return f"{name} {scripts.get(words[1], words[1][:8])}"
    found = OWN.match(words[1]) if len(words) > 1 else None
    return f"{name} {found[0]}" if found else name


def small_jobs(stand: Stand, actor: str, jobs: int) -> None:
    order = {"actor": actor, "poll_interval_secs": 1, "collect": {"records": []}}
    for result in [stand.client.wait(each, 600) for each in [stand.client.submit(order) for _ in range(jobs)]]:
        if result.items != 1:
            raise SystemExit("A delivery is not whole.")


def table(title: str, found: Counter[str], divisor: float) -> None:
    print(f"\n| {title} | {sum(found.values()) / divisor:.1f} |\n|---|---|")
    for name, number in found.most_common():
        print(f"| {name} | {number / divisor:.2f} |")


def by_order(seen: Sequence[dict[str, Any]], scripts: dict[str, str]) -> None:
    """Print one command a line: milliseconds, database, connection, name, arguments."""
    began = seen[0]["time"]
    for each in seen:
        shown = named(each["command"], scripts)
        port = each["client_port"]
        print(f"{(each['time'] - began) * 1000:8.1f} {each['db']} {port} {shown:40} {each['command'][:140]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--one", action="store_true")
    options = parser.parse_args()
    with standing(dataset_lag_secs="0") as stand:
        actor = stand.actor("small", items=1, duration_secs=0)
        scripts = {each.sha: name for name, each in stand.ledger._store.scripts.items()}  # noqa: SLF001
        small_jobs(stand, actor, 5)
        if options.one:
            with watched(stand) as seen:
                small_jobs(stand, actor, 1)
                time.sleep(2)
            by_order(seen, scripts)
        else:
            with watched(stand) as idle:
                time.sleep(IDLE_SECS)
            began = time.monotonic()
            with watched(stand) as seen:
                small_jobs(stand, actor, options.jobs)
                took = time.monotonic() - began
            idle_found = Counter(named(each["command"], scripts) for each in idle)
            found = Counter(named(each["command"], scripts) for each in seen)
            table("idle, a second", idle_found, IDLE_SECS)
            table(f"a job of {options.jobs}, in {took:.1f} s", found, options.jobs)
            share = sum(idle_found.values()) / IDLE_SECS * took
            print(f"\nA job without the idle line's: {(sum(found.values()) - share) / options.jobs:.1f}")
