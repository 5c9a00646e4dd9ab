"""`actorline.upkeep(*keys)`: take care of these jobs now; without any, of all that are past their `due`."""

from collections.abc import Iterable

import structlog
from celery import current_app, shared_task, states

from actorline.delivery.sink import LocalSink, SinkError, open_sink
from actorline.jobs.job import Job
from actorline.jobs.states import TERMINAL, State
from actorline.ledger.capacity_line import Admission, waiting_accounts
from actorline.ledger.change import Change
from actorline.ledger.continuity import last_gap
from actorline.ledger.ledger import UnreadableJobError
from actorline.ledger.outside_places import OutsidePlaces
from actorline.ledger.tally import empty_at, note_empty, note_lengths, note_sweep
from actorline.stages.start_lease import release
from actorline.stages.watch.fleet import MISSED_SECS
from actorline.upkeep.deadlines import expire_late_jobs
from actorline.upkeep.decision import Answer, Postpone, SendAgain, decide
from actorline.upkeep.settled_figures import secs_until_settled
from actorline.webhooks.hooks import Hooks
from config.queues import control_queue, door_queue, fetch_queue
from tasks.shell.canvas import send_answer, send_notices, send_pipeline
from tasks.shell.environment import installation, ledger, settings

BATCH = 200  # jobs per sweep: limits how long one upkeep task holds its slot
ANSWER_AGAIN_SECS = 15.0
SETTLE_AGAIN_SECS = 20.0
STRAY_AGAIN_SECS = 60.0  # longer than the time-out of platform calls
SWEEP_SECS = 5.0  # after a worker died during a sweep
CARE_AGAIN_SECS = 60.0
UNREADABLE_AGAIN_SECS = 10.0  # a worker of the version that wrote it may take care of it

log = structlog.get_logger(__name__)


@shared_task(
    name="actorline.upkeep", ignore_result=True, send_events=False
)  # one a second would hide the jobs in Flower
def upkeep(*keys: str) -> None:
    if keys:
        care_for_all(keys)
        return
    sweeping = ledger().lease("upkeep", seconds=SWEEP_SECS)
    if sweeping.acquire():
        try:
            sweep_all()
        finally:
            release(sweeping)


def sweep_all() -> None:
    """Check everything once; several workers at a time would duplicate the work."""
    last_gap(ledger(), unknown_s=settings().start_lookback_secs)
    note_queues()
    care_for_all(expire_late_jobs(ledger()))
    care_for_all(ledger().agenda.due(BATCH))
    for account in waiting_accounts(ledger()):
        care_for_all(Admission(ledger(), account).look())
    OutsidePlaces.of(ledger(), settings(), wake=care_for_all).call()
    abort_strays()
    look_at_fleets()
    look_for_orphans()
    forget_old_jobs()
    note_sweep(ledger())


def care_for_all(keys: Iterable[str]) -> None:
    """Do what each job needs now; a failure of one must not stop the others."""
    for key in keys:
        try:
            care_for(key)
        except UnreadableJobError as error:
            log.error("job_unreadable", job_key=key, message=str(error))  # noqa: TRY400 - foreseeable: no traceback
            ledger().agenda.postpone(key, UNREADABLE_AGAIN_SECS)
        except Exception:
            log.exception("job_not_cared_for", job_key=key)
            ledger().agenda.postpone(key, CARE_AGAIN_SECS)


def care_for(key: str) -> None:
    """Do what the job needs now."""
    job = ledger().load(key)
    if job is None:
        ledger().agenda.drop("due", key)
        return
    need = decide(job, now=ledger().now(), empty_at=empty_at(ledger()), watch_s=settings().lost_message_secs)
    match need:
        case SendAgain(stage=stage):
            send_pipeline(job, stage)
        case Postpone(seconds=seconds):
            ledger().change(key, Change(due_in_s=seconds, fields={"patience": seconds}), epoch=job.epoch)
        case Answer():
            sweep_sink(job)
            drop_what_is_over(job)
            looks = [look for look in (answer_callers(job), settle_figures(job), send_notices(job)) if look is not None]
            ledger().change(key, Change(due_in_s=min(looks, default=None)), states=TERMINAL, epoch=None)


def answer_callers(job: Job) -> float | None:
    """Send each unanswered caller its answer again, and forget those whose result is in the backend.

    Return seconds until the next check.
    """
    open_callers = 0
    for task_id, caller in ledger().callers.of(job.key).items():
        if current_app.backend.get_state(task_id) in states.READY_STATES:
            ledger().callers.forget(job.key, task_id)
            continue
        open_callers += 1
        send_answer(job.key, task_id, caller)
    return ANSWER_AGAIN_SECS if open_callers else None


def settle_figures(job: Job) -> float | None:
    """Have the final cost and stats read when they are due, and return seconds until the next check."""
    seconds = secs_until_settled(job, ledger().now())
    if seconds == 0:
        current_app.send_task("actorline.settle", [job.key])
        return SETTLE_AGAIN_SECS
    return seconds


def sweep_sink(job: Job) -> None:
    """Remove what killed workers left in the ended job's folder, which no later stage opens.

    Not in an object store: it may not respond for minutes, during which other jobs would have no upkeep.
    """
    try:
        sink = open_sink(job.sink_url)
        if isinstance(sink, LocalSink):
            sink.sweep(installation(), job.key)
    except SinkError as error:
        log.warning("sink_not_swept", job_key=job.key, error=str(error))


def drop_what_is_over(job: Job) -> None:
    """Remove what an ended job no longer needs: its stages' ids, and an input that no retry can use."""
    ledger().callers.name_tasks(job.key, [], drop_stale=True)
    if job.state is State.DELIVERED:
        ledger().retention.forget_input(job.key)


def note_queues() -> None:
    """Record each queue's length, and when it was seen empty: messages sent before that are no longer queued."""
    namespace = settings().namespace
    queues = {
        "control": control_queue(namespace),
        "fetch": fetch_queue(namespace),
        "doors": door_queue(namespace),
    }
    with current_app.connection_or_acquire() as connection:
        channel = connection.default_channel  # it adds up a queue's lists, one for each priority
        lengths = {kind: channel.queue_declare(queue).message_count for kind, queue in queues.items()}
    note_lengths(ledger(), lengths)
    note_empty(ledger(), [kind for kind, length in lengths.items() if length == 0])


def abort_strays() -> None:
    for run_id in ledger().runs.take_strays(STRAY_AGAIN_SECS):
        current_app.send_task("actorline.abort_stray", [run_id])


def look_at_fleets() -> None:
    for account in ledger().agenda.take("fleets", again_s=MISSED_SECS):
        current_app.send_task("actorline.look_at_fleet", [account])


def look_for_orphans() -> None:
    """Send the tasks that check the platform's lists and are due; a lost message is replaced minutes later."""
    for account in ledger().agenda.take_sweeps():
        current_app.send_task("actorline.sweep", [account])
    for key, attempt in ledger().agenda.take_second_searches():
        current_app.send_task("actorline.look_again", [key, attempt])
    for hook_id, run_id in Hooks(ledger()).take_runs():
        current_app.send_task("actorline.hook", [hook_id, run_id])


def forget_old_jobs() -> None:
    """Remove jobs from the ledger that ended longer ago than the retention; their deliveries stay."""
    before = ledger().now() - settings().retention_days * 86_400
    for state in TERMINAL:
        offset = ledger().retention.place(state)
        keys = ledger().retention.queued_before(state, before, BATCH, offset=offset)
        jobs = ledger().load_many(ledger().retention.ended_before(keys, before))
        forgotten = sum(ledger().retention.forget(job) for job in jobs if job)
        # jobs that were ordered long ago but ended recently are skipped, so that later ones are reached
        following = offset + len(keys) - forgotten if len(keys) == BATCH else 0
        if following != offset:
            ledger().retention.keep_place(state, following)
