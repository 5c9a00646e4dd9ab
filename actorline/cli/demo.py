"""`actorline demo`: three jobs from end to end against the local emulator."""

import contextlib
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
import typer

from actorline.cli.attach import AttachedStack, attach
from actorline.cli.ordering.order import sink_url
from actorline.cli.ordering.run import interrupt_jobs, send
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import out, print_result, say
from actorline.cli.terminal.progress import Interrupts, follow
from actorline.cli.terminal.timeline import print_timeline
from actorline.delivery.read_back import open_delivery
from actorline.errors import SettingsError
from actorline.identifiers import DatasetId
from actorline.jobs.job import Job
from actorline.jobs.job_result import JobResult
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import State
from actorline.orders.submit import submit
from actorline.settings import Settings, load_settings
from actorline.settings_file import SETTINGS_FILE, SETTINGS_FILE_VARIABLE
from actorline.upkeep.unattended import COMMAND

TOKEN: Final = "apify_api_emulator"  # noqa: S105 - the emulator's own
ADDRESS_VARIABLES: Final = (
    "ACTORLINE_REDIS_URL",
    "ACTORLINE_RESULTS_URL",
    "ACTORLINE_LEDGER_URL",
    "ACTORLINE_NAMESPACE",
)
ITEMS: Final = 250_000
FAILED_ITEMS: Final = 1_200
REPORT: Final = {"title": "Prices of today", "mean": 12.5, "currency": "EUR", "note": "caf\u00e9, \u4ef7\u683c"}
PROFILE: Final[dict[str, Any]] = {
    "actors": [
        {
            "username": "demo",
            "name": "catalog",
            "script": {"items": ITEMS, "item_kind": "nasty", "ready_secs": 0.5, "duration_secs": 6,
                       "counter_lag_secs": 4, "usage_usd": 0.42},
        },
        {
            "username": "demo",
            "name": "prices",
            "script": {"items": FAILED_ITEMS, "item_kind": "nasty", "duration_secs": 4, "final_status": "FAILED",
                       "exit_code": 1, "status_message": "The shop has blocked us since page 13", "usage_usd": 0.03},
        },
        {
            "username": "demo",
            "name": "report",
            "script": {"items": 0, "duration_secs": 3, "usage_usd": 0.001,
                       "records": {"OUTPUT": {"content_type": "application/json; charset=utf-8", "body": REPORT}}},
        },
    ],
    "actor_tasks": [
        {"username": "demo", "name": "prices-nightly", "id": "pricesNightly0001", "actor": "demo~prices",
         "input": {"shop": "example", "pages": 40}},
    ],
}  # fmt: skip


@dataclass(frozen=True)
class Check:
    """A promise, and whether it holds."""

    promise: str
    holds: bool


def demo(*, keep: bool) -> None:
    stamp = time.strftime("%H%M%S")
    with Interrupts() as interrupts, _emulator() as api_url:
        outside = set(os.environ)
        settings = _own_settings(api_url)
        say(f"A local Apify emulator runs at {api_url}; Valkey, workers and Flower are starting in {settings.home}.")
        with attach(settings, workers=True, flower=True, command=_command(settings, outside)) as stack:
            say(f"Flower: {stack.flower} (user and password: {settings.home}/flower.login)\n")
            jobs = _run_jobs(_documents(stamp), settings, stack, interrupts)
            if jobs is None:
                code = Exit.INTERRUPTED
            else:
                code = _report(jobs, stack, api_url)
                if keep:
                    say(f"\nStill running: Flower {stack.flower}, emulator {api_url}. Press Ctrl-C to stop.")
                    while not interrupts.count:
                        interrupts.sleep(1)
    raise typer.Exit(code)


def _documents(stamp: str) -> list[dict[str, Any]]:
    def sink(name: str) -> dict[str, Any]:
        return {"key": f"demo-{stamp}-{name}", "sink": {"url": sink_url(None)}, "labels": {"demo": stamp}}

    return [
        {
            **sink("catalog"),
            "actor": "demo/catalog",
            "input": {"startUrls": [{"url": "https://shop.example/"}]},
            "options": {"memory_mbytes": 2048, "build": "latest", "timeout_secs": 600},
        },
        {**sink("prices"), "actor_task": "pricesNightly0001", "input": {"pages": 13}},
        {**sink("report"), "actor": "demo~report"},
    ]


def _run_jobs(
    documents: list[dict[str, Any]], settings: Settings, stack: AttachedStack, interrupts: Interrupts
) -> list[Job] | None:
    """Order the jobs and wait for them; return None if interrupted, when nothing is billing any more."""
    keys = []
    for document in documents:
        submitted = submit(document, ledger=stack.ledger, settings=settings, trusted=True, sender=FROM_TERMINAL)
        send(settings, submitted)
        keys.append(submitted.key)
    jobs = follow(stack.ledger, keys, interrupts, shown=True, command=stack.command)
    if all(job.is_terminal for job in jobs):
        return jobs
    interrupt_jobs(jobs, settings, stack, interrupts, as_json=False)
    return None


def _report(jobs: list[Job], stack: AttachedStack, api_url: str) -> Exit:
    catalog, prices, report = jobs
    checks = _checks(catalog, prices, report, _Emulator(api_url))
    out.print()
    for job in jobs:
        print_result(JobResult.of(job), as_json=False, advises=False)  # this ledger ends with the demo
    out.print("\nWhat happened to the first one:")
    print_timeline(stack.ledger.timeline.entries(jobs[0].key))
    out.print("\nChecked against what the emulator made:")
    for check in checks:
        out.print(f"  {'[green]ok [/]' if check.holds else '[red]NOT[/]'}  {check.promise}")
    out.print("\nTo look around in Flower while everything is running: actorline demo --keep")
    out.print("Against the real platform: the README's chapter 'Run an Actor'.")
    return Exit.DELIVERED if all(check.holds for check in checks) else Exit.FAILED


def _checks(catalog: Job, prices: Job, report: Job, emulator: "_Emulator") -> list[Check]:
    starts = emulator.starts()
    return [
        Check(f"catalog is DELIVERED: {ITEMS:,} rows, each once, byte for byte", _rows_equal(catalog, emulator, ITEMS)),
        Check(
            f"prices is PARTIAL: the {FAILED_ITEMS:,} rows that exist, and why",
            prices.state is State.PARTIAL and prices.reason is not None and _rows_equal(prices, emulator, FAILED_ITEMS),
        ),
        Check("report's record OUTPUT is delivered as it was stored", _record(report) == REPORT),
        Check(f"three jobs, three paid starts (the emulator counted {starts})", starts == 3),  # noqa: PLR2004
    ]


def _rows_equal(job: Job, emulator: "_Emulator", items: int) -> bool:
    if job.manifest is None or job.run.dataset_id is None:
        return False
    digest = hashlib.sha256()
    for block in open_delivery(job.manifest).blocks():
        digest.update(block)
    expected = emulator.expected(job.run.dataset_id)
    return (items, digest.hexdigest()) == (expected["count"], expected["sha256"]) and job.collection.items == items


def _record(job: Job) -> Any:
    if job.manifest is None:
        return None
    with open_delivery(job.manifest).open_record("OUTPUT") as file:
        return json.loads(file.read())


@dataclass(frozen=True)
class _Emulator:
    url: str

    def expected(self, dataset_id: DatasetId) -> dict[str, Any]:
        """Return count and sha256 of the dataset's plain lines."""
        expected: dict[str, Any] = requests.get(
            f"{self.url}/emulator/datasets/{dataset_id}/expected", timeout=30
        ).json()
        return expected

    def starts(self) -> int:
        requests_made = requests.get(f"{self.url}/emulator/requests", params={"method": "POST"}, timeout=30).json()
        return sum(request["path"].endswith("/runs") for request in requests_made)


@contextmanager
def _emulator() -> Iterator[str]:
    """Run the emulator in its own process, which ends with this one, however this one ends."""
    profile = Path(load_settings().home) / "demo" / "profile.json"
    profile.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    profile.write_text(json.dumps(PROFILE))
    command = [
        sys.executable,
        "-P",
        "-m",
        "actorline.emulator",
        "--port",
        "0",
        "--profile",
        str(profile),
        "--exit-with-stdin",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        first = process.stdout.readline() if process.stdout else b""
        if not first:
            raise SettingsError(
                "The emulator did not start. It needs the extra `emulator`: pip install 'actorline[emulator]'."
            )
        try:
            yield json.loads(first)["url"]
        finally:
            if process.stdin:
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _command(settings: Settings, outside: Iterable[str]) -> str:
    """Return a command that reaches the demo's jobs from a shell with these variables; an empty one counts as unset."""
    home, file = (shlex.quote(str(path)) for path in (settings.home, settings.home / SETTINGS_FILE))
    elsewhere = [f"{name}=" for name in ADDRESS_VARIABLES if name in outside]
    return " ".join([f"{SETTINGS_FILE_VARIABLE}={file}", f"ACTORLINE_HOME={home}", *elsewhere, COMMAND])


def _own_settings(api_url: str) -> Settings:
    """Return settings apart from those configured here: the demo's own home and Redis, and the emulator's token."""
    home = load_settings().home / "demo"
    empty = home / SETTINGS_FILE
    empty.touch()
    for name in [name for name in os.environ if name.startswith(("ACTORLINE_", "APIFY_"))]:
        del os.environ[name]
    os.environ.update(
        {
            SETTINGS_FILE_VARIABLE: str(empty),
            "ACTORLINE_HOME": str(home),
            "ACTORLINE_API_URL": api_url,
            "APIFY_TOKEN": TOKEN,
        }
    )
    return load_settings()
