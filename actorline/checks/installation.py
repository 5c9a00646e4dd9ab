"""What is right and wrong in an installation, as far as its ledger and its settings tell. Changes nothing."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

from actorline.api_keys import list_keys
from actorline.checks.broker import check_queues, check_settings_of_redis
from actorline.checks.finding import Finding
from actorline.errors import Unavailable
from actorline.identifiers import AccountName
from actorline.ledger.admission.pause import EVERY_ACCOUNT, paused_accounts
from actorline.ledger.durability import Server
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.budget_status import read_budgets
from actorline.ledger.queries.failing_looks import failing_looks
from actorline.ledger.queries.fleet import Fleet, read_fleet
from actorline.ledger.queries.tally import Tally, read_tally
from actorline.schedules.book import Book, Reading
from actorline.schedules.decision import Outcome, SchedulePosition, is_late
from actorline.schedules.rhythm import moment
from actorline.schedules.schedule import Schedule
from actorline.schedules.schedules_file import InvalidSchedules, find_schedules, load_schedules
from actorline.settings import Settings
from actorline.upkeep.unattended import UNSEEN_SECS, describe_missing, describe_unattended, missing_workers

NAMED_HOSTS: Final = 3
NAMED_JOBS: Final = 3
PAUSED: Final = "paused"
FAILING_SECS: Final = 120.0


def check_ledger(
    settings: Settings,
    ledger: Ledger,
    *,
    logs: Path | None = None,
    has_workers: bool = True,
    accounts: Collection[AccountName] | None = None,
) -> Iterator[Finding]:
    """Yield a finding for each check. `logs`: those of a running stack; `has_workers`: some should be running, and not
    only when the next command needs them; `accounts`: only jobs of these are named (lower case), None: of all. Raises
    Unavailable and redis.RedisError.
    """
    yield from _redis(ledger, settings)
    yield from check_settings_of_redis(ledger)
    yield _workers(ledger, logs, has_workers=has_workers, names_jobs=accounts is None)
    tally = read_tally(ledger)
    yield from check_queues(settings, tally.unseen_s, has_workers=has_workers)
    yield from _fleet(settings, read_fleet(ledger))
    yield from _pause(ledger)
    yield from _waiting(tally)
    yield from check_looks(ledger, accounts)
    yield from _schedules(settings, ledger)
    yield from _budgets(settings, ledger)
    yield from _keys(ledger)


def _redis(ledger: Ledger, settings: Settings) -> Iterator[Finding]:
    server = ledger.server()
    try:
        ledger.check_server()
    except Unavailable as error:
        yield Finding("redis", is_good=False, text=str(error))
        return
    version = ".".join(str(part) for part in server.version)
    what = f"Valkey {server.valkey_version}" if server.valkey_version else f"version {version}"
    how = (
        "waits for the disk itself (WAITAOF)"
        if server.can_wait_for_disk
        else "is older than 7.2, so each start waits 2 s"
    )
    yield Finding("redis", is_good=True, text=f"{what}, append-only file on, noeviction; it {how}")
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


def _waiting(tally: Tally) -> Iterator[Finding]:
    """Report what jobs wait for."""
    waits = {code: number for (code,), number in sorted(tally.counted("waiting").items()) if number > 0}
    if waits:
        text = f"wait: {', '.join(f'{number:,} for {code}' for code, number in waits.items())}"
        fix = "Which: actorline jobs --state WAITING. Since when, and what to do: actorline show KEY."
        yield Finding("jobs", is_good=True, text=text, fix=fix)


def check_looks(ledger: Ledger, accounts: Collection[AccountName] | None = None) -> Iterator[Finding]:
    """Report runs of the accounts that may be billing, of which nothing has been heard for minutes."""
    found = failing_looks(ledger, for_secs=FAILING_SECS)
    if failing := [job for job in found if accounts is None or job.document.account.lower() in accounts]:
        named = ", ".join(job.key for job in failing[:NAMED_JOBS])
        more = f" and {len(failing) - NAMED_JOBS:,} more" if len(failing) > NAMED_JOBS else ""
        text = f"looks at the runs of {named}{more} have failed for minutes, or their aborts: they may be billing"
        fix = "Why: actorline show KEY. Looks and aborts go on until the platform responds."
        yield Finding("runs", is_good=False, text=text, fix=fix)


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


def _workers(ledger: Ledger, logs: Path | None, *, has_workers: bool, names_jobs: bool) -> Finding:
    if names_jobs and (unattended := describe_unattended(ledger, logs=logs, has_workers=has_workers)):
        fix = "" if logs else "Start them, or check their logs: they may hang."
        return Finding("workers", is_good=False, text=unattended, fix=fix)
    missing = missing_workers(read_tally(ledger), unseen_for_s=UNSEEN_SECS if has_workers else 0)
    if not missing:
        return Finding("workers", is_good=True, text="of each kind are running")
    if not has_workers:
        text = "started by the command that needs them, or by `actorline up`"
        return Finding("workers", is_good=True, text=text)
    if logs and not any(missing.values()):
        return Finding("workers", is_good=True, text="are starting")
    fix = "Start them: actorline worker control, and actorline worker fetch."
    if logs:
        fix = f"The stack is running: they are starting, or hang. If that lasts, see {logs} and restart `actorline up`."
    return Finding("workers", is_good=False, text=f"no {' and no '.join(describe_missing(missing))}", fix=fix)


def _fleet(settings: Settings, fleet: Fleet) -> Iterator[Finding]:
    """Report what workers have to have in common, and don't or may not."""
    alive = [worker for worker in fleet.workers if worker.unseen_s <= UNSEEN_SECS]
    versions = sorted({worker.version for worker in alive})
    if len(versions) > 1:
        text = f"of the versions {' and '.join(versions)} run side by side: some jobs wait for the newer ones"
        yield Finding("workers", is_good=False, text=text, fix="Update the others, and restart them.")
    hosts = sorted({worker.name.partition("@")[2] for worker in alive if "fetch" in worker.kinds})
    if len(hosts) > 1 and settings.default_sink.startswith("file:"):
        text = (
            f"fetch workers on {len(hosts)} hosts ({', '.join(hosts[:NAMED_HOSTS])}) store into {settings.default_sink}"
        )
        fix = "It must be one folder that all of them mount; if it is not, use an object store: ACTORLINE_SINK_URL."
        yield Finding("sink", is_good=True, text=text, fix=fix)


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
    if wrong := _wrong_schedules(found, places, reading):
        text = ", ".join(f"{name} ({why})" for name, why in wrong.items())
        yield Finding("schedules", is_good=False, text=text, fix=schedule_advice(wrong.values()))
        return
    unrun = [name for name, place in places.items() if place.last is None]
    text = f"{len(found)} in {file}, {len(reading.beats)} beat(s)" + (
        f"; not yet due: {', '.join(unrun)}" if unrun else ""
    )
    yield Finding("schedules", is_good=True, text=text)


def schedule_advice(whys: Collection[str]) -> str:
    """Return what to do about schedules of which nothing is ordered."""
    paused = [why for why in whys if why.startswith(PAUSED)]
    restart = " Beat reads the file only at its start: restart it." if len(paused) < len(whys) else ""
    resume = " A pause ends with `actorline schedules resume NAME`." if paused else ""
    return f"Details: `actorline schedules list`.{restart}{resume}"


def _wrong_schedules(
    found: Mapping[str, Schedule], places: Mapping[str, SchedulePosition], reading: Reading
) -> Mapping[str, str]:
    """Return the schedules of which nothing is ordered, or was too late, and why."""
    return {
        **{name: "not seen by any beat" for name in found if name not in places},
        **{name: "never due" for name in places if found[name].rhythm.next_due(moment(reading.now)) is None},
        **{name: "late" for name, place in places.items() if is_late(found[name], place, reading.now)},
        **{name: "refused" for name, place in places.items() if place.last and place.last[1] is Outcome.REFUSED},
        **{
            name: f"{PAUSED}: {pause.message}"
            for name, pause in reading.pauses.items()
            if pause.by == "guard" and name in found and pause.counts(found[name].on_guard)
        },
    }


def _budgets(settings: Settings, ledger: Ledger) -> Iterator[Finding]:
    for status in read_budgets(ledger, settings.budgets):
        taken = f"${status.spent_usd + status.reserved_usd:,.2f} of ${status.limit_usd:,.2f} a {status.period}"
        text = f"{status.budget}: {taken} are spent or reserved, {status.waiting:,} jobs wait"
        fix = "Raise it in the settings and restart, or let the jobs wait: docs/budgets.md." if status.waiting else ""
        yield Finding("budgets", is_good=True, text=text, fix=fix)
