"""`doctor`: checks the installation and suggests fixes."""

from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Final

import redis
import typer
from rich.markup import escape

from actorline import __version__
from actorline.checks.disks import check_disks
from actorline.checks.finding import Finding
from actorline.checks.installation import check_ledger
from actorline.checks.servers import check_servers, lacks_key
from actorline.cli.attach import attach, logs_of_running, servers_of_running
from actorline.cli.terminal.exits import Exit
from actorline.cli.terminal.output import out, print_json
from actorline.cli.terminal.room_text import left_text
from actorline.delivery.sink import SinkError, open_sink
from actorline.errors import Unavailable
from actorline.identifiers import AccountName
from actorline.ledger.accounts import OTHER_OWNER_ADVICE, Owner, describe_other_owner
from actorline.ledger.admission.account_room import AccountUse
from actorline.ledger.faults import describe_fault
from actorline.ledger.ledger import Ledger
from actorline.messages import send_line
from actorline.platform.client import Platform
from actorline.platform.clock import platform_time
from actorline.platform.errors import Forbidden, MissingLibrary, PlatformError, PlatformUnavailable
from actorline.platform.marker import list_unended
from actorline.platform.users import get_limits, get_me
from actorline.redis_connection.address import masked_address
from actorline.setting_names import misspelt_settings
from actorline.settings import Settings, load_settings, token_variable
from actorline.stages.start.limits import account_use, read_limits

PLATFORM_SECS: Final = 5.0  # of silence, three times: a person is waiting
NEARLY: Final = 0.9
UNKNOWN: Final = "Until it responds, no order is taken, and nothing is known of workers, queues and jobs."
OTHERS_WITHIN: Final = timedelta(days=7)
MAX_SKEW_SECS: Final = 30.0  # half of the margin that the search for a lost start allows for


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
    text = f"Actorline {__version__}, home {settings.home}, platform {settings.api_url}"
    yield Finding("settings", is_good=True, text=text)
    for name, meant in misspelt_settings():
        yield Finding("settings", is_good=False, text=f"nothing reads {name}", fix=f"Is it {meant}?")
    try:
        with attach(settings, workers=False, undone="") as stack:
            logs = logs_of_running(settings)
            has_workers = settings.redis_url is not None or logs is not None
            yield from check_ledger(settings, stack.ledger, logs=logs, has_workers=has_workers)
            is_closed = lacks_key(settings, stack.ledger)
            yield from check_servers(settings, gateway=stack.gateway, flower=stack.flower, is_closed=is_closed)
            yield from _accounts(settings, stack.ledger)
            order = Finding("order", is_good=True, text=send_line(settings))  # users paste this into tickets
    except (Unavailable, redis.RedisError) as error:
        text = str(error) if isinstance(error, Unavailable) else f"can't be used: {describe_fault(error)}"
        yield Finding("redis", is_good=False, text=f"{masked_address(settings.ledger)}: {text}", fix=UNKNOWN)
        gateway, flower = servers_of_running(settings)
        yield from check_servers(settings, gateway=gateway, flower=flower)
        yield from _accounts(settings, None)
        order = None
    yield _sink(settings)
    yield from check_disks(settings)
    yield _notices(settings)
    if order:
        yield order


def _accounts(settings: Settings, ledger: Ledger | None) -> Iterator[Finding]:
    if not settings.tokens:
        yield Finding("token", is_good=False, text="none is set", fix="Set APIFY_TOKEN.")
    for account, token in settings.tokens.items():
        platform = Platform(settings.api_url, token, connect_timeout_s=PLATFORM_SECS, read_timeout_s=PLATFORM_SECS)
        with closing(platform):
            yield from _account(settings, ledger, platform, account)


def _account(settings: Settings, ledger: Ledger | None, platform: Platform, account: AccountName) -> Iterator[Finding]:
    try:
        me = get_me(platform)
        use = read_limits(ledger, platform, account) if ledger else account_use(get_limits(platform), at=0)
        there = platform_time(platform)
    except PlatformError as error:
        yield Finding("token", is_good=False, text=f"account {account}: {error}", fix=_fix(error, account))
        return
    if ledger and (other := describe_other_owner(ledger, account, Owner(id=me.id, username=me.username))):
        fix = OTHER_OWNER_ADVICE.format(account=account)
        yield Finding("token", is_good=False, text=f"{other} No worker starts with it.", fix=fix)
    else:
        left = left_text(use.left)
        text = f"account {account} is {me.username}: {_used(use)}{left and f'; {left}'}"
        yield Finding("token", is_good=True, text=text)
    if use.limit.get("month_usd") and use.used.get("month_usd", 0) >= NEARLY * use.limit["month_usd"]:
        text = f"account {account} has used over 90 % of this month's limit, at which no run is started"
        yield Finding("limits", is_good=False, text=text, fix="Raise it: Apify Console, Billing, Limits.")
    if there:
        yield _clock(there)
    if ledger and ledger.known_installation():
        yield from _others(ledger, platform, account, ledger.installation(settings.installation))


def _others(ledger: Ledger, platform: Platform, account: AccountName, name: str) -> Iterator[Finding]:
    """Report running runs of an account that bear this installation's name and that no job here knows."""
    with suppress(PlatformError):
        unended = list_unended(platform, name, started_after=datetime.now(UTC) - OTHERS_WITHIN)
        unknown = [run.id for run, marker in unended if ledger.runs.key_of_marker(marker.digest) is None]
        if unknown:
            text = f"{len(unknown):,} of account {account} bear our name, {name}, and no job here knows them"
            fix = (
                "The ledger has lost them: `actorline orphans`. Or a second installation has the same name, and "
                "each takes the other's runs for its own: give it a Redis and an ACTORLINE_INSTALLATION of its own."
            )
            yield Finding("runs", is_good=False, text=text, fix=fix)


def _used(use: AccountUse) -> str:
    used, limit = use.used, use.limit
    return (
        f"{used.get('runs', 0):,.10g} of {limit.get('runs', 0):,.10g} runs, "
        f"{used.get('memory_gbytes', 0):,.10g} of {limit.get('memory_gbytes', 0):,.10g} GB, "
        f"${used.get('month_usd', 0):.2f} of ${limit.get('month_usd', 0):.2f} this month"
    )


def _fix(error: PlatformError, account: AccountName) -> str:
    match error:
        case MissingLibrary():
            return "Install PySocks, or name another proxy (HTTPS_PROXY, ALL_PROXY)."
        case Forbidden():
            return (
                "The token may do too little: it must be allowed to run Actors, to list, read and abort runs, and to "
                "read datasets, key-value stores and the account's limits."
            )
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
