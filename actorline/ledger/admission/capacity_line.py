"""Who may try a start of an account that has no room, or is paused: its jobs wait in a line, by priority, then by age.

Each try that is refused costs a request, and each look at a waiting job some milliseconds. So a job in the line is left
alone until it is called: one for each run that ends, and at each look at the line as many as the account's pace says.
Where the account's limits can be read (`account_room.py`), the one that is called reads them, and as many more are
called as there is room for. A line is empty, and costs one look, as long as the platform lets everybody in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from actorline.identifiers import AccountName, JobKey
from actorline.jobs.job import Job
from actorline.ledger.admission.account_room import FULL_AGAIN_SECS
from actorline.ledger.admission.pause import is_paused
from actorline.ledger.ledger import Ledger

TRYING: Final = 3  # more than one: a job that wants more memory than there is must not hold up all others
LINE_LOOK_SECS: Final = 1.0
LINE_WAIT_MAX_SECS: Final = 30.0  # room that a run of others leaves is noticed after this time
CALLS_MAX: Final = 50  # starts a second; more than a control worker can send
PACE_KEPT_SECS: Final = 120
_PRIORITY: Final = 1e11  # more seconds than any date has


@dataclass(frozen=True)
class CallPace:
    """How many jobs a look at the line calls, and seconds until the next look."""

    calls: int = 4
    wait_s: float = LINE_LOOK_SECS


def next_pace(pace: CallPace, *, was_refused: bool, is_full: bool = False) -> CallPace:
    """Return how many are called at the next look: twice as many while all are let in; one, later and later, while the
    platform refuses; one whenever the limits may be read again, while they say that the account is full.
    """
    if was_refused:
        return CallPace(1, min(2 * pace.wait_s, LINE_WAIT_MAX_SECS))
    if is_full:
        return CallPace(1, FULL_AGAIN_SECS)
    return CallPace(min(2 * pace.calls, CALLS_MAX), LINE_LOOK_SECS)


@dataclass(frozen=True)
class CapacityLine:
    """The ledger's `line:{account}` (key -> its place), `lines` (account -> when its line is looked at), and
    `pace:{account}`.
    """

    ledger: Ledger
    account: AccountName

    def may_try(self, job: Job) -> bool:
        first = dict(self.ledger.redis.zrange(self._line, 0, TRYING - 1, withscores=True))
        return len(first) < TRYING or job.key in first or place_of(job) < max(first.values())

    def enter(self, job: Job, *, was_refused: bool = False, is_full: bool = False) -> None:
        """Put the job, which is waiting by now, into the line until it is called. Safe to repeat."""
        found = "refused" if was_refused else "full" if is_full else ""
        self.ledger.run_script(
            "enter_line",
            [
                self.ledger.name("job", job.key),
                self.ledger.name("due"),
                self._line,
                self.ledger.name("lines"),
                self._pace,
            ],
            [job.key, job.epoch, place_of(job), self.account, job.deadline_at or "", found, PACE_KEPT_SECS],
        )

    def let_in(self) -> None:
        """Make the account's line due now, whatever was refused before: what kept its jobs from starting is over."""
        self.ledger.redis.delete(self._pace)
        self.ledger.redis.zadd(self.ledger.name("lines"), {self.account: self.ledger.now()}, xx=True)

    def invite(self, starts: int) -> None:
        """Call the first ones in line at once: room for that many `starts` was found."""
        self._remember(calls=-(-starts // 2), wait_s=LINE_LOOK_SECS, refused=0, full=0)
        self.ledger.redis.zadd(self.ledger.name("lines"), {self.account: self.ledger.now()}, xx=True)

    def leave(self, job: Job, *, started: bool = False) -> None:
        """Take out a job that no longer wants a run, or has `started` it: the platform counts that from now on."""
        with self.ledger.redis.pipeline(transaction=False) as pipe:
            pipe.zrem(self._line, job.key)
            if started:
                pipe.zadd(self.ledger.name("room_claims", self.account), {job.key: self.ledger.now()}, xx=True)
            pipe.execute()

    def look(self) -> list[JobKey]:
        """Call as many as the pace says, none while the account is paused; returns their keys, which are due now."""
        if is_paused(self.ledger, self.account):
            return self._call(0, again_s=LINE_LOOK_SECS)
        stored = self.ledger.redis.hgetall(self._pace)
        last = CallPace(int(stored.get("calls", CallPace.calls)), float(stored.get("wait_s", CallPace.wait_s)))
        was_refused, is_full = (bool(int(stored.get(found, 0))) for found in ("refused", "full"))
        pace = next_pace(last, was_refused=was_refused, is_full=is_full)
        self._remember(calls=pace.calls, wait_s=pace.wait_s, refused=0, full=0)
        return self._call(pace.calls, again_s=pace.wait_s)

    def call_next(self) -> list[JobKey]:
        """Give the room of a run that has ended to the first in line; where runs end, room is looked for often."""
        called = self._call(1, again_s=LINE_LOOK_SECS, sooner=True)
        if called:
            self._remember(wait_s=LINE_LOOK_SECS)
        return called

    def call_behind(self, job: Job) -> None:
        """Call the job behind this one, for which there isn't room enough: that one may need less."""
        place = self.ledger.redis.zrank(self._line, job.key)
        if place is None or place >= TRYING - 1:
            return
        for key in self.ledger.redis.zrange(self._line, place + 1, place + 1):
            self.ledger.agenda.make_due(key)
            self.ledger.redis.zrem(self._line, key)

    def _call(self, most: int, *, again_s: float, sooner: bool = False) -> list[JobKey]:
        keys = [self._line, *map(self.ledger.name, ("due", "lines")), self.ledger.name("room", self.account)]
        called = self.ledger.run_script("call_line", keys, [most, self.account, again_s, "LT" if sooner else ""])
        return cast("list[JobKey]", called)

    def _remember(self, **pace: float) -> None:
        with self.ledger.redis.pipeline() as pipe:
            pipe.hset(self._pace, mapping=pace)
            pipe.expire(self._pace, PACE_KEPT_SECS)
            pipe.execute()

    @property
    def _line(self) -> str:
        return self.ledger.name("line", self.account)

    @property
    def _pace(self) -> str:
        return self.ledger.name("pace", self.account)


def waiting_accounts(ledger: Ledger) -> list[AccountName]:
    """Return the accounts whose lines are due; one that is returned is due again soon, in case this check is lost."""
    return [AccountName(each) for each in ledger.agenda.take("lines", again_s=LINE_LOOK_SECS)]


def line_lengths(ledger: Ledger, accounts: Sequence[AccountName]) -> dict[AccountName, int]:
    """Return how many jobs of each account wait for room."""
    with ledger.redis.pipeline(transaction=False) as pipe:
        for account in accounts:
            pipe.zcard(ledger.name("line", account))
        return dict(zip(accounts, pipe.execute(), strict=True))


def place_of(job: Job) -> float:
    """Return the job's place in a line: by priority, then by age."""
    return job.document.priority * _PRIORITY + job.queued_at
