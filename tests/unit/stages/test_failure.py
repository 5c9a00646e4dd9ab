import pytest
import redis

from actorline.delivery.sink import SinkError
from actorline.errors import Code, Refused
from actorline.jobs.states import LIVE, State
from actorline.platform.errors import Forbidden, PlatformError, PlatformUnavailable, UnusableResponse
from actorline.stages.failure import ALIKE_MAX, is_hopeless, reason_of

OURS = RecursionError("our fault")


@pytest.mark.parametrize(
    "error",
    [OURS, KeyError("x"), PlatformError("403"), UnusableResponse("no itemCount"), Refused(Code.AUTH, "no token")],
)
def test_a_stage_that_always_fails_alike_ends_the_job(make_job, error):
    job = make_job(state=State.COLLECTING)
    assert [is_hopeless(job, error, alike) for alike in (1, ALIKE_MAX - 1, ALIKE_MAX)] == [False, False, True]


@pytest.mark.parametrize(
    "error", [redis.ConnectionError(), PlatformUnavailable("503"), SinkError("away"), OSError(28, "No space left")]
)
def test_an_outage_is_waited_for(make_job, error):
    assert not is_hopeless(make_job(state=State.COLLECTING), error, 10 * ALIKE_MAX)


@pytest.mark.parametrize("state", sorted(LIVE - {State.COLLECTING}))
def test_a_job_whose_run_may_live_is_never_given_up(make_job, state):
    assert not is_hopeless(make_job(state=state), OURS, 10 * ALIKE_MAX)


def test_the_reason_tells_no_text_that_may_hold_an_item(make_job):
    reason = reason_of(make_job(run_id="r"), "fetch_pages", ValueError("a secret row"), 8)
    assert (reason.code, reason.billed, "secret" in reason.message) == (Code.INTERNAL, True, False)
    assert "fetch_pages failed 8 times in the same way: ValueError" in reason.message


def test_what_the_platform_always_refuses_is_no_fault_of_ours(make_job):
    refused = Forbidden("This token can't read it", status=403, type="insufficient-permissions")
    reason = reason_of(make_job(run_id="r"), "fetch_pages", refused, 8)
    assert (reason.code, reason.platform_type) == (Code.PAGE_UNREADABLE, "insufficient-permissions")
    assert "[403 insufficient-permissions] This token can't read it" in reason.message
