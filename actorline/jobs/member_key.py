"""The keys of a batch's members: `catalog.000017` is the job of the eighteenth input of the batch `catalog`."""

import re
from typing import Final

from actorline.identifiers import JobKey
from actorline.jobs.job_key import KEY_MAX_CHARS

DIGITS: Final = 6
BATCH_KEY_MAX_CHARS: Final = KEY_MAX_CHARS - DIGITS - 1
_MEMBER: Final = re.compile(rf"(.+)\.(\d{{{DIGITS}}})", re.ASCII)


def member_key(batch: JobKey, number: int) -> JobKey:
    return JobKey(f"{batch}.{number:0{DIGITS}d}")


def split_member_key(key: JobKey) -> tuple[JobKey, int] | None:
    """Return the batch and the number of a key that has the form of a member's; None for any other."""
    found = _MEMBER.fullmatch(key)
    return (JobKey(found[1]), int(found[2])) if found else None


def batch_key_of(key: JobKey) -> JobKey:
    """Return the batch of a key that has the form of a member's; any other key itself."""
    batch, _ = split_member_key(key) or (key, 0)
    return batch
