"""The marker that tells our own runs: it goes out in the start's `User-Agent` and comes back in `meta.userAgent`.

Source: fact sheet, section 5, carrier A. Short printable ASCII, because the platform's length limit is not known.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from actorline import __version__
from actorline.platform.client import Platform
from actorline.platform.errors import NotFound
from actorline.platform.runs import get_run, list_runs


@dataclass(frozen=True)
class Found:
    """What a complete listing says: runs with the marker, the oldest first, and runs whose marker can't be read."""

    run_ids: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def make_marker(installation: str, key: str, attempt: int) -> str:
    """`actorline/0.1.0 (al-1f00aa/9f86d081884c7d65.1)`; the key itself stays with us."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"actorline/{__version__} ({installation}/{digest}.{attempt})"


def find_marked(platform: Platform, marker: str, *, started_after: datetime) -> Found:
    """Search the account's runs for a marker. The Actor isn't compared: a metamorph changes it.

    Raises PlatformError if the listing can't be read to its end: then nothing is known.
    """
    tag = marker[marker.index("(") :]
    found: list[tuple[datetime | None, str]] = []
    unreadable: list[str] = []
    for run_id, started_at, user_agent in _candidates(platform, started_after):
        if user_agent is None:
            unreadable.append(run_id)
        elif tag in user_agent:
            found.append((started_at, run_id))
    found.sort(key=lambda item: (item[0] is None, item[0], item[1]))
    return Found([run_id for _, run_id in found], unreadable)


def _candidates(platform: Platform, started_after: datetime) -> Iterator[tuple[str, datetime | None, str | None]]:
    """Run id, start and user agent of each run; list items may lack `meta.userAgent` (fact sheet, section 4)."""
    for run in list_runs(platform, started_after=started_after):
        user_agent = run.meta.user_agent
        if user_agent is None and run.meta.origin in {None, "API", "ACTOR"}:  # ACTOR: we may run in one ourselves
            # listed and not found: gone, or not yet on the replica that was asked, so it may be ours
            with contextlib.suppress(NotFound):
                user_agent = get_run(platform, run.id).meta.user_agent
        elif user_agent is None:
            continue  # started by hand, a schedule or another Actor: not by us
        yield run.id, run.started_at, user_agent
