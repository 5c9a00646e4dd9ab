"""The marker that identifies our own runs: it goes out in the start's `User-Agent` and comes back in `meta.userAgent`.

Source: `docs/platform-facts.md#marker`. Short printable ASCII, because the platform's length limit is not known.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Final

from actorline.identifiers import JobKey, RunId
from actorline.logs import Logger
from actorline.outbound.user_agent import USER_AGENT
from actorline.platform.statuses import TRANSITIONAL_STATUSES

if TYPE_CHECKING:  # a digest is wanted also where nothing is read from the platform
    from actorline.platform.client import Platform
    from actorline.platform.runs import RunSummary

log = Logger(__name__)

_MARKER: Final = re.compile(r"\((?P<installation>[A-Za-z0-9_-]+)/(?P<digest>[0-9a-f]{16})\.(?P<attempt>[0-9]+)\)")


@dataclass(frozen=True)
class Marker:
    """What a marker says: whose run it is, and of which job's attempt."""

    installation: str
    digest: str
    attempt: int


@dataclass(frozen=True)
class SearchResult:
    """What a complete listing says: runs with the marker, the oldest first; runs of the API whose user agent can't be
    read, or that have the marker but no id; and those that show one which is no marker at all.
    """

    run_ids: list[RunId] = field(default_factory=list)
    unreadable: list[RunSummary] = field(default_factory=list)
    others: list[RunSummary] = field(default_factory=list)


def digest_of(key: JobKey) -> str:
    """Return what represents a job's key in its markers; the key itself stays with us."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def make_marker(installation: str, key: JobKey, attempt: int) -> str:
    """Make a marker: `actorline/0.1.0 (al-1f00aa/9f86d081884c7d65.1)`"""
    return f"{USER_AGENT} ({installation}/{digest_of(key)}.{attempt})"


def tag_of(marker: str) -> str:
    """Return `(al-1f00aa/9f86d081884c7d65.1)`: what tells the run; another version of ours may look for it."""
    return marker[marker.index("(") :]


def read_marker(user_agent: str | None) -> Marker | None:
    """Return the marker in a user agent; None if it has another form."""
    found = _MARKER.search(user_agent or "")
    if found is None or not (user_agent or "").startswith("actorline/"):
        return None
    return Marker(found["installation"], found["digest"], int(found["attempt"]))


def find_marked(platform: Platform, marker: str, *, started_after: datetime) -> SearchResult:
    """Search the account's runs for a marker. The Actor isn't compared: a metamorph changes it.

    Raises PlatformError if the listing can't be read to its end: then nothing is known.
    """
    from actorline.platform.runs import NAMELESS, list_runs

    tag = tag_of(marker)
    found = SearchResult()
    marked: list[RunSummary] = []
    nameless: list[RunSummary] = []
    runs = list_runs(platform, started_after=started_after, nameless=nameless)
    for run, user_agent in chain(_with_user_agents(platform, runs), _as_listed(nameless)):
        if user_agent is None:
            found.unreadable.append(run)
        elif tag in user_agent:
            (found.unreadable if run.id == NAMELESS else marked).append(run)
        elif read_marker(user_agent) is None:
            found.others.append(run)
    found.run_ids.extend(run.id for run in sorted(marked, key=_age))
    return found


def _age(run: RunSummary) -> tuple[datetime, str]:
    """Return what sorts the oldest run first; one that doesn't say when it was started comes last."""
    return run.started_at or datetime.max.replace(tzinfo=UTC), run.id


def list_unended(
    platform: Platform, installation: str, *, started_after: datetime
) -> Iterator[tuple[RunSummary, Marker]]:
    """Yield the runs of an installation that haven't ended, with what their markers say. One of which that can't be
    read is logged and left out. Raises PlatformError.
    """
    status = sorted(TRANSITIONAL_STATUSES)
    for run, marker in list_ours(platform, installation, started_after=started_after, status=status):
        if marker and run.is_odd:
            log.warning("run_unreadable", run_id=run.id, status=run.status)
        elif marker and not run.is_terminal:
            yield run, marker


def list_ours(
    platform: Platform, installation: str, *, started_after: datetime, status: Sequence[str] = ()
) -> Iterator[tuple[RunSummary, Marker | None]]:
    """Yield all runs that may be the API's, the oldest first, each with its marker if it is the installation's.

    Raises PlatformError.
    """
    from actorline.platform.runs import list_runs

    runs = list_runs(platform, started_after=started_after, status=status)
    for run, user_agent in _with_user_agents(platform, runs):
        marker = read_marker(user_agent)
        yield run, marker if marker and marker.installation == installation else None


def _with_user_agents(platform: Platform, runs: Iterable[RunSummary]) -> Iterator[tuple[RunSummary, str | None]]:
    """Yield each run that may have been started through the API, with its user agent, which list items may lack:
    `docs/platform-facts.md#marker`. One that the list says odd things of is yielded as it says them itself.
    """
    from actorline.platform.errors import NotFound, UnusableResponse
    from actorline.platform.runs import read_summary

    for listed in runs:
        run = listed
        if run.is_odd or (run.meta.user_agent is None and _may_be_the_apis(run)):
            # listed and not found: gone, or not yet on the replica that was asked, so it may be ours
            with contextlib.suppress(NotFound, UnusableResponse):
                run = _merged(listed, read_summary(platform, run.id))
        yield from _as_listed([run])


def _as_listed(runs: Iterable[RunSummary]) -> Iterator[tuple[RunSummary, str | None]]:
    """Yield each run that may have been started through the API, with the user agent that is known."""
    for run in runs:
        if run.meta.user_agent is not None or _may_be_the_apis(run):
            yield run, run.meta.user_agent


def _may_be_the_apis(run: RunSummary) -> bool:
    """Return whether the run was perhaps not started by hand, a schedule or another Actor."""
    return run.meta.origin in {None, "API", "ACTOR"}  # ACTOR: we may run in one ourselves


def _merged(listed: RunSummary, said: RunSummary) -> RunSummary:
    """Return what a run says of itself; where it says nothing, what the list says of it."""
    known = {name: value for name in said.model_fields_set if (value := getattr(said, name)) is not None}
    meta = {"origin": said.meta.origin or listed.meta.origin, "user_agent": said.meta.user_agent}
    if meta["user_agent"] is None:
        meta["user_agent"] = listed.meta.user_agent
    return listed.model_copy(update={**known, "id": listed.id, "meta": listed.meta.model_copy(update=meta)})
