"""What happens to a job next, in words."""

from collections.abc import Callable, Mapping
from typing import Final

from actorline.errors import Code, Refused
from actorline.jobs.job import Job
from actorline.jobs.progress import Pace
from actorline.jobs.states import State
from actorline.orders.retry import plan_retry
from actorline.platform.statuses import TERMINAL_STATUSES

WAITS: Final[Mapping[str, str]] = {
    Code.CAPACITY: "waits until the account has room for another run",
    Code.PAUSED: "waits: new runs are paused",
    Code.BUDGET: "waits until a budget has room for its run",
    Code.PLATFORM_UNAVAILABLE: "waits: the platform doesn't respond, or asks for a pause",
    Code.START_UNCLEAR: "an earlier start is unclear: its run is searched for",
    Code.LEDGER_NOT_DURABLE: "waits until Redis writes to its disk again",
    Code.SINK_FAILED: "waits until the sink can be written",
    Code.INPUT_UNREADABLE: "waits for its input's server",
    Code.AUTH: "waits: the account's token is refused",
    Code.FORBIDDEN: "waits: the account's token may not start it",
}


def next_step(job: Job) -> str:
    """Return what happens next to a job, or what can be done; "" if nothing is left to do."""
    if job.is_terminal:
        return _after_end(job)
    if job.stop_wish and job.state is not State.COLLECTING:
        return "is being stopped" + (", and its run aborted" if _may_bill(job) else "")
    return _STEPS[job.state](job)


def first_sentence(text: str) -> str:
    """Return a message without what follows its first sentence."""
    return text.partition(". ")[0].removesuffix(".")


def _waiting(job: Job) -> str:
    return WAITS.get(job.waits_for or "", f"waits ({job.waits_for})")


def _starting(job: Job) -> str:
    is_unclear = job.intent is not None and job.intent.sent_at is not None
    return "its start is unclear: the run is searched for" if is_unclear else "the platform starts its run"


def _running(job: Job) -> str:
    status = (job.run.status or "starting").lower()
    if job.failures:
        return f"its run can't be looked at; tried again every {job.document.poll_interval_secs:g} s"
    return f"its run is {status}; looked at every {job.document.poll_interval_secs:g} s"


def _collecting(job: Job) -> str:
    failing = job.collection.failing_pages
    if failing:
        return f"{failing:,} page{'s' * (failing != 1)} failing: {job.collection.page_error or 'tried again'}"
    left = Pace.of(job).eta_secs
    return f"rows are fetched, {left:,.0f} s left" if left else "rows are fetched"


_STEPS: Final[Mapping[State, Callable[[Job], str]]] = {
    State.QUEUED: lambda _: "starts now",
    State.WAITING: _waiting,
    State.STARTING: _starting,
    State.RUNNING: _running,
    State.ABORTING: lambda _: "waits until the platform confirms the abort",
    State.COLLECTING: _collecting,
}


def _after_end(job: Job) -> str:
    if job.state is State.DELIVERED:
        return _beside_delivery(job)
    try:
        plan = plan_retry(job)
    except Refused:
        return ""
    way = plan.brief or ("a retry starts another paid run" if plan.pays else "a retry is free")
    return f"{first_sentence(job.reason.message)}; {way}" if job.reason else way


def _beside_delivery(job: Job) -> str:
    """Return what is worth knowing of a job that is delivered."""
    stopped = f"stopped early: {job.enough.message}" if job.enough else ""
    broken = f"the rows broke their contract: {job.broken.message}" if job.broken else ""
    return "; ".join(part for part in (stopped, broken) if part)


def _may_bill(job: Job) -> bool:
    return job.run.id is not None and job.run.status not in TERMINAL_STATUSES
