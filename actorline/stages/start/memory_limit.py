"""A run that wants more memory than its account may ever use: waiting for room would have no end."""

from actorline.errors import Code, Reason
from actorline.jobs.document.job_document import JobDocument
from actorline.platform.client import Platform
from actorline.platform.errors import CapacityExceeded, PlatformError
from actorline.platform.users import MBYTES_OF_A_GBYTE, get_limits
from actorline.stages.start.run_defaults import run_defaults


def beyond_the_account(platform: Platform, order: JobDocument, refused: CapacityExceeded) -> Reason | None:
    """Return why the run can never be started; None if it can, or if that can't be read: then the job waits."""
    try:
        most = get_limits(platform).limits.max_actor_memory_gbytes
        wanted = order.options.memory_mbytes or run_defaults(platform, order).memory_mbytes
    except PlatformError:
        return None
    if most is None or wanted is None or wanted <= (all_mbytes := most * MBYTES_OF_A_GBYTE):
        return None
    message = (
        f"The run needs {wanted:,} MB of memory, but the account may use {all_mbytes:,.0f} MB in total, so waiting "
        f"doesn't help: {refused.message} No run was started. Order less memory with options.memory_mbytes, or raise "
        "the account's limit in the console under Billing."
    )
    return Reason(code=Code.CAPACITY, message=message, platform_type=refused.type, billed=False)
