"""The keys of jobs: which texts may be one, and new ones for orders that come without."""

import os
import re
import time
import uuid
from typing import Any, Final, TypeGuard

from actorline.identifiers import JobKey, TaskId

KEY_MAX_CHARS: Final = 200
KEY_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._\-@:+]{0,199}$"
KEY_RULE: Final = "1 to 200 of A-Z a-z 0-9 . _ - @ : +, the first a letter or digit"
_SCHEDULE: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_TASKS: Final = uuid.UUID("6f1d3c0e-2a57-5b0c-9d55-4b1c9a2f7e10")  # the namespace of keys made of task ids


def is_key(key: Any) -> TypeGuard[JobKey]:
    """Return whether a job can have this key."""
    return isinstance(key, str) and re.fullmatch(KEY_PATTERN, key) is not None


def fresh_key() -> JobKey:
    """Return a new UUIDv7: unique, and sortable by time."""
    moment = int(time.time() * 1000).to_bytes(6, "big")
    number = int.from_bytes(moment + os.urandom(10), "big")
    number = number & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62)
    return JobKey(str(uuid.UUID(int=number)))


def key_of_task(task_id: TaskId) -> JobKey:
    """Return the key of an order without one from a Celery task: the same if its message comes twice."""
    return JobKey(str(uuid.uuid5(_TASKS, task_id)))


def schedule_of(key: JobKey) -> str | None:
    """Return the schedule that orders under this key, as `nightly@2026-11-23T03:00:00Z`; None for any other key.

    Only beat creates jobs with such keys, which are predictable.
    """
    found = _SCHEDULE.fullmatch(key)
    return found[1] if found else None


def shown_key(key: Any) -> JobKey:
    """Return whatever was given as a key in a form that a message may quote: short, in ASCII."""
    return JobKey(key[:200].encode("unicode_escape").decode()[:200] if isinstance(key, str) else "")
