"""The delivery that an order names for its rows to be compared with (`delta.base`), before anything is paid."""

from functools import partial

from actorline.delivery.sink import SinkError
from actorline.errors import Code, Reason
from actorline.jobs.delivered import open_delivered
from actorline.jobs.document.delta import LAST
from actorline.jobs.job import Job
from actorline.ledger.ledger import Ledger
from actorline.orders.delta import UnusableBase, load_base
from actorline.stages.silent_sink import SilentSink, soon
from actorline.stages.start.steps import Refuse, TryLater


def check_base(ledger: Ledger, job: Job) -> Refuse | TryLater | None:
    """Return what keeps the job from its start: a base that is gone by now; None if nothing does.

    A batch's members start all the same: the other batch may have had fewer inputs.
    """
    delta = job.document.delta
    if delta is None or delta.base == LAST or job.batch:
        return None
    try:
        base = load_base(ledger, delta.base, job.key)
        soon(base.sink_url, partial(open_delivered, base))
    except UnusableBase as error:
        return _refuse(f"{error}.")
    except SilentSink as error:
        message = f"delta.base: {error} No run was started; the job tries again."
        return TryLater(Reason(code=Code.SINK_FAILED, message=message, billed=False))
    except SinkError as error:
        return _refuse(f"the delivery of {delta.base} has expired or can't be read: {error}")
    return None


def _refuse(problem: str) -> Refuse:
    message = f"delta.base: {problem} Nothing was started."
    return Refuse(Reason(code=Code.DOCUMENT_INVALID, message=message, billed=False))
