"""Which jobs a command means: those that it names, or all that fit its options."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from actorline.cli.ordering.order import parse_labels
from actorline.errors import Code, Refused
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.ledger.ledger import Ledger
from actorline.ledger.queries.job_index import JobIndex
from actorline.ledger.queries.listing import Cursor, list_jobs
from actorline.nearest import nearest

PAGE_JOBS: Final = 100
UNIT_SECS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
AGO: Final = re.compile(r"(\d{1,7})([smhd])")


@dataclass(frozen=True)
class Selection:
    """`since`: as it was typed, `2h` ago or a time. What isn't set excludes nothing."""

    states: tuple[State, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    actor: str | None = None
    account: str | None = None
    reasons: tuple[Code, ...] = ()
    since: str | None = None

    @classmethod
    def parse(
        cls,
        state: Sequence[State] | None,
        label: Sequence[str] | None,
        actor: str | None,
        account: str | None,
        reason: Sequence[str] | None,
        since: str | None,
    ) -> Self:
        """Parse the options. Raises Refused for a label, a reason or a time that can't be read."""
        if since is not None:
            parse_since(since, now=0)
        labels = tuple(parse_labels(list(label or [])).items())
        return cls(tuple(state or ()), labels, actor, account, tuple(map(parse_code, reason or ())), since)

    @property
    def is_set(self) -> bool:
        return self != Selection()

    def check(self, keys: Sequence[str], *, every: bool = False, hint: str = "") -> None:
        """Refuse a command that says nothing of which jobs it means, or says it twice; `every`: all was said."""
        said = (bool(keys), self.is_set, every)
        if not any(said):
            raise Refused(Code.REQUEST_INVALID, f"Which jobs? Name their keys, or select them by options{hint}.")
        if sum(said) > 1:
            ways = "Give keys, options that select jobs, or --all" if hint else "Give keys, or options that select jobs"
            raise Refused(Code.REQUEST_INVALID, f"{ways}: only one of these. Nothing was done.")

    def jobs(self, ledger: Ledger, among: Sequence[State] = tuple(State)) -> Iterator[Job]:
        """Yield the jobs that fit, newest first; `among`: the states that the command is for."""
        after: Cursor | None = None
        is_indexed = bool(self.account or self.actor or self.labels) and JobIndex(ledger).was_completed()
        while True:
            page = list_jobs(
                ledger,
                limit=PAGE_JOBS,
                after=after,
                states=[state for state in among if state in (self.states or among)],
                labels=dict(self.labels),
                accounts=None if self.account is None else [self.account.lower()],
                is_indexed=is_indexed,
                since=None if self.since is None else parse_since(self.since, now=ledger.now()),
                actor=self.actor or "",
            )
            yield from filter(self._has_reason, page.jobs)
            if page.next is None:
                return
            after = page.next

    def _has_reason(self, job: Job) -> bool:
        return not self.reasons or (job.reason.code if job.reason else job.waits_for) in self.reasons


def parse_code(text: str) -> Code:
    """Return the reason's code. Raises Refused if there is none of that name."""
    try:
        return Code(text.lower())
    except ValueError:
        message = f"--reason {text[:40]!r} is unknown{nearest(text, Code)}: docs/troubleshooting.md has all of them."
        raise Refused(Code.REQUEST_INVALID, message) from None


def parse_since(text: str, *, now: float, option: str = "--since") -> float:
    """Return the unix second that `90s`, `30m`, `2h`, `7d` or an ISO time means. Raises Refused."""
    if ago := AGO.fullmatch(text):
        return now - int(ago[1]) * UNIT_SECS[ago[2]]
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise Refused(
            Code.REQUEST_INVALID,
            f"{option} must be 90s, 30m, 2h, 7d or a time such as 2026-11-28T14:00, not {text[:40]!r}.",
        ) from None
