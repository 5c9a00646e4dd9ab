"""What a batch does next: a decision on what the ledger says of it at one moment. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from actorline.batches.batch import Batch
from actorline.errors import Code
from actorline.jobs.states import State

WAVE_MAX: Final = 100  # members made by one message: about a second
HELD_FOR: Final = frozenset({Code.PAUSED.value, "budget"})
"""What all members of an account or a budget wait for together."""


@dataclass(frozen=True)
class StoreInputs:
    """Its inputs must be read and kept before a member is made."""


@dataclass(frozen=True)
class Make:
    """Make the members of the next `count` inputs, from the number `first` on."""

    first: int
    count: int


@dataclass(frozen=True)
class Rerun:
    """Run members again that haven't delivered, at most `count` of those from `first` to before `end`."""

    first: int
    end: int
    count: int


@dataclass(frozen=True)
class Expire:
    """Its deadline has passed: it is to be stopped."""


@dataclass(frozen=True)
class StopMembers:
    """Cancel the members that haven't ended."""


@dataclass(frozen=True)
class Rest:
    """Its members are running; the end of one of them makes the batch due again."""


@dataclass(frozen=True)
class Close:
    """All members have ended: write the manifest, and end."""


@dataclass(frozen=True)
class Nothing:
    """It has ended."""


Step = StoreInputs | Make | Rerun | Expire | StopMembers | Rest | Close | Nothing


def next_step(batch: Batch, now: float) -> Step:
    """Return what the batch does next."""
    if batch.is_terminal:
        return Nothing()
    if batch.stop_wish is None and batch.deadline_at is not None and now > batch.deadline_at:
        return Expire()
    if batch.stop_wish is not None:
        return StopMembers() if batch.live else Close()
    if batch.inputs is None:
        return StoreInputs()
    return _next_wave(batch, batch.inputs)


def _next_wave(batch: Batch, inputs: int) -> Step:
    room = min(batch.document.max_running - batch.live, WAVE_MAX)
    if not batch.has_failed_too_often:
        if batch.rerun_from < batch.rerun_to:
            return Rerun(batch.rerun_from, batch.rerun_to, room) if room > 0 else Rest()
        if batch.made < inputs:
            return Make(batch.made, min(room, inputs - batch.made)) if room > 0 else Rest()
    return Rest() if batch.live else Close()


def held_for(members: Sequence[tuple[State, str]]) -> str | None:
    """Return what all members wait for that haven't ended, by state and reason; None: they don't all wait for it."""
    codes = {code if state is State.WAITING else None for state, code in members}
    (code,) = codes if len(codes) == 1 else (None,)
    return code if code in HELD_FOR else None
