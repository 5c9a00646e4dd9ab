"""A run that wants more memory than its account may ever use: waiting for room would have no end."""

from actorline.errors import Code, Reason
from actorline.jobs.document.job_document import JobDocument
from actorline.platform.client import Platform
from actorline.platform.errors import CapacityExceeded, PlatformError
from actorline.stages.start.run_defaults import run_defaults


def beyond_the_account(
    platform: Platform, document: JobDocument, refused: CapacityExceeded, most_mbytes: int | None
) -> Reason | None:
    """Return why the run can never be started; None if it can, or if that isn't known: then the job waits.
    `most_mbytes`: what the account may use in all.
    """
    if most_mbytes is None:
        return None
    try:
        wanted = document.options.memory_mbytes or run_defaults(platform, document).memory_mbytes
    except PlatformError:
        return None
    if wanted is None or wanted <= most_mbytes:
        return None
    message = (
        f"The run needs {wanted:,} MB of memory, but the account may use {most_mbytes:,} MB in total, so waiting "
        f"doesn't help: {refused.message}. No run was started. Order less memory with options.memory_mbytes, or raise "
        "the account's limit in the console under Billing."
    )
    return Reason(code=Code.CAPACITY, message=message, platform_type=refused.type, billed=False)
