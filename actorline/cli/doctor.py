"""`doctor`: checks the installation and suggests fixes."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import redis
import typer
from pydantic import SecretStr
from rich.markup import escape

from actorline.api_keys import list_keys
from actorline.cli.attach import attach, logs_of_running
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import out, print_json
from actorline.delivery.sink import SinkError, open_sink
from actorline.errors import Unavailable
from actorline.identifiers import AccountName
from actorline.ledger.budget_status import read_budgets
from actorline.ledger.durability import Server
from actorline.ledger.ledger import Ledger
from actorline.ledger.pause import EVERY_ACCOUNT, paused_accounts
from actorline.ledger.tally import read_tally
from actorline.messages import send_line
from actorline.platform.client import Platform
from actorline.platform.clock import platform_time
from actorline.platform.errors import MissingLibrary, PlatformError, PlatformUnavailable
from actorline.platform.users import get_limits, get_me
from actorline.schedules.book import Book
from actorline.schedules.decision import Outcome, is_late
from actorline.schedules.schedules_file import InvalidSchedules, find_schedules, load_schedules
from actorline.settings import Settings, load_settings, token_variable
from actorline.upkeep.unattended import describe_missing, describe_unattended, missing_workers

MAX_SKEW_SECS: Final = 30.0  # half of the margin that the search for a lost start allows for


@dataclass(frozen=True)
class Finding:
    """The result of one check; `fix` says what to do about a fault."""

    subject: str
    is_good: bool
    text: str
    fix: str = ""


def doctor(*, as_json: bool) -> None:
    settings = load_settings()
    is_good = True
    for finding in _findings(settings):
        is_good = is_good and finding.is_good
        if as_json:
            print_json(asdict(finding))
            continue
        mark = "[green]ok [/]" if finding.is_good else "[red]NOT[/]"
        out.print(f"{mark}  {finding.subject:<9}  {escape(finding.text)}")
        if finding.fix:
            out.print(f"     {'':<9}  {escape(finding.fix)}")
    raise typer.Exit(Exit.DELIVERED if is_good else Exit.FAILED)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield Finding("settings", is_good=True, text=f"home {settings.home}, platform {settings.api_url}")
    try:
        with attach(settings, workers=False) as stack:
            yield from _redis(stack.ledger, settings)
            yield _workers(settings, stack.ledger)
            yield from _pause(stack.ledger)
            yield from _schedules(settings, stack.ledger)
            yield from _budgets(settings, stack.ledger)
            yield from _keys(stack.ledger)
    except (Unavailable, redis.RedisError) as error:
        yield Finding("redis", is_good=False, text=str(error))
    yield from _accounts(settings)
    yield _sink(settings)
    yield _notices(settings)
    yield Finding("order", is_good=True, text=send_line(settings))  # users paste this into tickets


def _redis(ledger: Ledger, settings: Settings) -> Iterator[Finding]:
    server = ledger.server()
    try:
        ledger.check_server()
    except Unavailable as error:
        yield Finding("redis", is_good=False, text=str(error))
        return
    version = ".".join(str(part) for part in server.version)
    how = (
        "waits for the disk itself (WAITAOF)"
        if server.can_wait_for_disk
        else "is older than 7.2, so each start waits 2 s"
    )
    yield Finding("redis", is_good=True, text=f"version {version}, append-only file on, noeviction; it {how}")
    if server.is_nearly_full():
        text = f"memory is nearly full ({server.used_bytes:,} of {server.max_bytes:,} bytes): new orders are refused"
        yield Finding("redis", is_good=False, text=text, fix="Give Redis more memory: CONFIG SET maxmemory.")
    if server.replicas:
        yield _replicas(server, settings)


def _pause(ledger: Ledger) -> Iterator[Finding]:
    if paused := paused_accounts(ledger):
        whose = "every account" if EVERY_ACCOUNT in paused else ", ".join(sorted(paused))
        text = f"on for {whose}: no paid runs are started"
        yield Finding("pause", is_good=False, text=text, fix="To start them again: actorline resume.")


def _replicas(server: Server, settings: Settings) -> Finding:
    wanted = settings.durable_replicas
    if wanted > server.replicas:
        text = f"{server.replicas} replica(s), but each start waits for {wanted}: nothing is started"
        return Finding(
            "redis", is_good=False, text=text, fix="Start the replicas, or lower ACTORLINE_DURABLE_REPLICAS."
        )
    text = f"{server.replicas} replica(s); each start is on disk at {wanted} of them before it is sent"
    fix = "A promoted replica may lack the last seconds: set ACTORLINE_DURABLE_REPLICAS=1. " if not wanted else ""
    return Finding("redis", is_good=True, text=text, fix=fix.strip())


def _keys(ledger: Ledger) -> Iterator[Finding]:
    """Report keys of the first version, which keep the wide rights that their scopes had then."""
    wide = [key.name for key in list_keys(ledger) if key.version == 1]
    if wide:
        text = f"{', '.join(wide)}: made by an earlier version, with all rights that submit and cancel had then"
        yield Finding(
            "keys", is_good=True, text=text, fix="A new key can have fewer rights: actorline keys create --help."
        )


def _workers(settings: Settings, ledger: Ledger) -> Finding:
    if unattended := describe_unattended(ledger, logs=(logs := logs_of_running(settings))):
        fix = "" if logs else "Start them, or check their logs: they may hang."
        return Finding("workers", is_good=False, text=unattended, fix=fix)
    missing = missing_workers(read_tally(ledger))
    if not missing:
        return Finding("workers", is_good=True, text="of each kind are running")
    if settings.redis_url is None:
        text = "started by the command that needs them, or by `actorline up`"
        return Finding("workers", is_good=True, text=text)
    return Finding(
        "workers", is_good=False, text=f"no {' and no '.join(describe_missing(missing))}",
        fix="Start them: actorline worker control, and actorline worker fetch.",
    )  # fmt: skip


def _schedules(settings: Settings, ledger: Ledger) -> Iterator[Finding]:
    try:
        file = find_schedules(settings)
        if file is None:
            return
        found = {name: schedule for name, schedule in load_schedules(file).items() if schedule.enabled}
    except InvalidSchedules as error:
        yield Finding("schedules", is_good=False, text=str(error), fix="Fix the file, and restart beat.")
        return
    reading = Book(ledger).read()
    if found and not reading.beats:
        text, fix = f"{len(found)} in {file}, but no beat runs: nothing is ordered", "actorline up, or actorline beat."
        yield Finding("schedules", is_good=False, text=text, fix=fix)
        return
    places = {name: reading.entries[name].place for name in found if name in reading.entries}
    wrong = {
        **{name: "not seen by any beat" for name in found if name not in places},
        **{name: "late" for name, place in places.items() if is_late(found[name], place, reading.now)},
        **{name: "refused" for name, place in places.items() if place.last and place.last[1] is Outcome.REFUSED},
    }
    if wrong:
        text = ", ".join(f"{name} ({why})" for name, why in wrong.items())
        fix = "Details: actorline schedules list. Beat reads the file only at its start: restart it."
        yield Finding("schedules", is_good=False, text=text, fix=fix)
        return
    text = f"{len(found)} in {file}, {len(reading.beats)} beat(s)"
    yield Finding("schedules", is_good=True, text=text)


def _budgets(settings: Settings, ledger: Ledger) -> Iterator[Finding]:
    for status in read_budgets(ledger, settings.budgets):
        taken = f"${status.spent_usd + status.reserved_usd:,.2f} of ${status.limit_usd:,.2f} a {status.period}"
        text = f"{status.budget}: {taken} are spent or reserved, {status.waiting:,} jobs wait"
        fix = "Raise it in the settings and restart, or let the jobs wait: docs/budgets.md." if status.waiting else ""
        yield Finding("budgets", is_good=True, text=text, fix=fix)


def _accounts(settings: Settings) -> Iterator[Finding]:
    if not settings.tokens:
        yield Finding("token", is_good=False, text="none is set", fix="Set APIFY_TOKEN.")
    for account, token in settings.tokens.items():
        yield from _account(settings, account, token)


def _account(settings: Settings, account: AccountName, token: SecretStr) -> Iterator[Finding]:
    with closing(Platform(settings.api_url, token)) as platform:
        try:
            me = get_me(platform)
            limits = get_limits(platform)
            there = platform_time(platform)
        except PlatformError as error:
            yield Finding("token", is_good=False, text=f"account {account}: {error}", fix=_fix(error, account))
            return
    most, now = limits.limits, limits.current
    used = (
        f"{now.active_actor_job_count} of {most.max_concurrent_actor_jobs} runs, "
        f"{now.actor_memory_gbytes or 0:g} of {most.max_actor_memory_gbytes or 0:g} GB, "
        f"${now.monthly_usage_usd or 0:.2f} of ${most.max_monthly_usage_usd or 0:.2f} this month"
    )
    yield Finding("token", is_good=True, text=f"account {account} is {me.username}: {used}")
    if there:
        yield _clock(there)


def _fix(error: PlatformError, account: AccountName) -> str:
    match error:
        case MissingLibrary():
            return "Install PySocks, or name another proxy (HTTPS_PROXY, ALL_PROXY)."
        case PlatformUnavailable():
            return "Is the platform reachable from here? Check ACTORLINE_API_URL, the network and the proxy."
        case _:
            return f"Is the token right? Set {token_variable(account)}."


def _clock(platform_time: datetime) -> Finding:
    skew = (datetime.now(UTC) - platform_time).total_seconds()
    if abs(skew) <= MAX_SKEW_SECS:
        return Finding("clock", is_good=True, text=f"within {max(abs(skew), 1):.0f} s of the platform's")
    text = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the platform's"
    return Finding(
        "clock", is_good=False, text=text, fix="Set this machine's clock (NTP): lost starts are searched by time."
    )


def _sink(settings: Settings) -> Finding:
    url = settings.default_sink.replace("{key}", "doctor").replace("{date}", "2026-01-01").replace("{run_id}", "run")
    try:
        open_sink(url).check()
    except SinkError as error:
        return Finding("sink", is_good=False, text=str(error), fix="Set ACTORLINE_SINK_URL to a writable folder.")
    return Finding("sink", is_good=True, text=f"{settings.default_sink} is writable")


def _notices(settings: Settings) -> Finding:
    if settings.notify_secret:
        return Finding("notices", is_good=True, text="to notify.url are signed")
    text = "to notify.url are not signed: a receiver can't tell them from forged ones"
    return Finding("notices", is_good=True, text=text, fix="Set ACTORLINE_NOTIFY_SECRET, and give it to the receivers.")
