"""`actorline run`: one job, from the order to its rows."""

from typing import Any

import redis
import typer

from actorline.cli.attach import AttachedStack, attach
from actorline.cli.jobs import find
from actorline.cli.ordering.estimate import print_estimate
from actorline.cli.ordering.long_poll import hastened
from actorline.cli.ordering.order import sink_url
from actorline.cli.ordering.preflight import check_order
from actorline.cli.ordering.with_workers import with_workers
from actorline.cli.terminal.exits import Exit, exit_of_result
from actorline.cli.terminal.output import print_result, say
from actorline.cli.terminal.progress import Interrupts, come_back, follow, lost_redis
from actorline.delivery.sink import SinkError, open_sink
from actorline.errors import Code, Refused
from actorline.identifiers import JobKey
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.parse import parse_document
from actorline.jobs.job import Job
from actorline.jobs.job_result import JobResult
from actorline.jobs.sender import FROM_TERMINAL
from actorline.jobs.states import State
from actorline.ledger.admission.pause import is_paused
from actorline.messages import wake_workers
from actorline.orders.cancel import cancel_jobs
from actorline.orders.delta import check_comparison
from actorline.orders.estimate import Estimate, estimate
from actorline.orders.parquet import check_parquet
from actorline.orders.submit import SubmittedJob, fill_sink, submit
from actorline.platform.statuses import TERMINAL_STATUSES
from actorline.settings import Settings, load_settings


def run(order: dict[str, Any], *, dry_run: bool, as_json: bool, no_wait: bool, keep: bool) -> None:
    settings = load_settings()
    order = with_default_sink(order, settings)
    parsed = parse_document(order)
    check_parquet(parsed, settings, FROM_TERMINAL)
    check_comparison(parsed, settings, FROM_TERMINAL)
    _check_sink(parsed, settings)
    if dry_run:
        _estimate(order, parsed, settings, as_json=as_json)
        return
    check_order(parsed, settings)

    def order_and_wait(stack: AttachedStack, interrupts: Interrupts) -> Exit:
        _check_pause(parsed, stack)
        return _order_and_wait(order, settings, stack, interrupts, as_json=as_json, no_wait=no_wait, keep=keep)

    raise typer.Exit(with_workers(settings, order_and_wait, what="job", no_wait=no_wait))


def _estimate(order: dict[str, Any], parsed: JobDocument, settings: Settings, *, as_json: bool) -> None:
    if settings.redis_url is None and not settings.home.exists():  # nothing ever ran here
        found = Estimate(document=parsed.model_dump(mode="json"), like_it=None, reserves_usd=None)
    else:
        with attach(settings, workers=False) as stack:
            found = estimate(order, ledger=stack.ledger, settings=settings, trusted=True, sender=FROM_TERMINAL)
    if not as_json:  # a person is shown what was given
        found = found.model_copy(update={"document": parsed.model_dump(mode="json", exclude_defaults=True)})
    print_estimate(found, as_json=as_json)


def with_default_sink(order: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Add the command line's default, `./rows/{key}/`, unless the settings or the document name a sink."""
    sink = order.get("sink") or {}
    if settings.sink_url or not isinstance(sink, dict) or sink.get("url"):
        return order
    return {**order, "sink": {**sink, "url": sink_url(None)}}


def _check_sink(document: JobDocument, settings: Settings) -> None:
    """Refuse a sink that can't be written before anything is in the ledger."""
    url = fill_sink(document, document.key or JobKey("key"), 0, settings)
    if settings.redis_url is not None and not url.startswith("file:"):
        return  # the workers there have its credentials
    try:
        open_sink(url).check()
    except SinkError as error:
        raise Refused(Code.SINK_REFUSED, f"{error} Nothing was started.") from error


def _check_pause(document: JobDocument, stack: AttachedStack) -> None:
    if document.starts_run and is_paused(stack.ledger, document.account):
        raise Refused(
            Code.PAUSED,
            "Paid runs are paused. Nothing was ordered. Start them again with `actorline resume`; until then "
            "`actorline submit` and services can still order, and their jobs wait.",
        )


def _order_and_wait(
    order: dict[str, Any],
    settings: Settings,
    stack: AttachedStack,
    interrupts: Interrupts,
    *,
    as_json: bool,
    no_wait: bool,
    keep: bool,
) -> Exit:
    submitted = submit(order, ledger=stack.ledger, settings=settings, trusted=True, sender=FROM_TERMINAL)
    send(settings, submitted)
    if not submitted.created:
        say(f"{submitted.key} already exists ({submitted.state}): joined, nothing new is started.{_way_on(submitted)}")
    if no_wait:
        print_result(JobResult.of(find(stack.ledger, submitted.key)), as_json=as_json)
        return Exit.DELIVERED
    return wait_for_end(submitted.key, settings, stack, interrupts, as_json=as_json, keep=keep)


def _way_on(joined: SubmittedJob) -> str:
    is_final = not joined.has_ended or joined.state is State.DELIVERED
    return "" if is_final else f" To try again: actorline retry {joined.key}"


def wait_for_end(
    key: JobKey, settings: Settings, stack: AttachedStack, interrupts: Interrupts, *, as_json: bool, keep: bool = False
) -> Exit:
    """Follow a job to its end and print its result; an interrupt stops the job, unless `keep` is set."""
    with hastened(settings, stack, key):
        (job,) = follow(stack.ledger, [key], interrupts, shown=not as_json)
    if not job.is_terminal:
        return _interrupted(job, settings, stack, interrupts, as_json=as_json, keep=keep)
    result = JobResult.of(job)
    print_result(result, as_json=as_json)
    return exit_of_result(result)


def send(settings: Settings, submitted: SubmittedJob) -> None:
    """Have a worker begin."""
    if submitted.created and not wake_workers(settings, [submitted.key]):
        say("The broker did not accept the message; the order is in the ledger and starts within seconds.")


def _interrupted(
    job: Job, settings: Settings, stack: AttachedStack, interrupts: Interrupts, *, as_json: bool, keep: bool
) -> Exit:
    if keep:
        where = "It continues when `actorline up` runs" if stack.brought_up else "It continues"
        again = come_back(job.key, stack.command)
        say(f"Interrupted. The job was not stopped, and its run may be billing. {where}. {again}")
        return Exit.INTERRUPTED
    for ended in interrupt_jobs([job], settings, stack, interrupts, as_json=as_json):
        print_result(JobResult.of(ended), as_json=as_json)
    return Exit.INTERRUPTED


def interrupt_jobs(
    jobs: list[Job], settings: Settings, stack: AttachedStack, interrupts: Interrupts, *, as_json: bool
) -> list[Job]:
    """Stop jobs after Ctrl-C and wait until the platform reports that their runs have ended, or for a second Ctrl-C.

    Return the jobs that have ended.
    """
    say("Interrupted: stopping, and waiting until the platform reports that nothing is running.")
    try:
        wake_workers(settings, cancel_jobs(stack.ledger, [job.key for job in jobs], sender=FROM_TERMINAL))
    except redis.RedisError as error:
        raise lost_redis([job.key for job in jobs], jobs, error, stack.command) from error
    reported: set[str] = set()

    def report_when_over(jobs: list[Job]) -> None:
        for job in jobs:
            if job.key not in reported and (job.is_terminal or job.run.status in TERMINAL_STATUSES):
                reported.add(job.key)
                say(f"{_run_text(job)}. {come_back(job.key, stack.command)}")

    keys = [job.key for job in jobs]
    jobs = follow(
        stack.ledger, keys, interrupts, shown=not as_json, until=2, look=report_when_over, command=stack.command
    )
    for job in jobs:
        if not job.is_terminal:
            say(f"Still being stopped: {stopping_text(job)}. {come_back(job.key, stack.command)}")
    return [job for job in jobs if job.is_terminal]


def _run_text(job: Job) -> str:
    if job.run.id:
        return f"{job.key}: the run {job.run.id} is {job.run.status}"
    return f"{job.key}: a start was sent; its run isn't known yet" if job.intent else f"{job.key}: no run was started"


def stopping_text(job: Job) -> str:
    """Return what is known of the run of a job that is being stopped, and whether it may be billing."""
    may_bill = job.intent or (job.run.id and job.run.status not in TERMINAL_STATUSES)
    return f"{_run_text(job)}, and may be billing" if may_bill else _run_text(job)
