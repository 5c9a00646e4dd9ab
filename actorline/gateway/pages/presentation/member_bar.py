"""A batch's members as one bar: a part for each state, and what is left for those that aren't made yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actorline.jobs.states import LIVE, State

ORDER = (State.DELIVERED, State.PARTIAL, State.FAILED, State.EXPIRED, State.CANCELLED, *LIVE)


@dataclass(frozen=True)
class Part:
    """`left`, `width`: of 1,000 units."""

    state: State
    left: float
    width: float


def parts_of(members: Mapping[State, int], inputs: int | None) -> Sequence[Part]:
    """Return the parts of the bar; a state that few are in is wide enough to be seen."""
    whole = max(inputs or 0, sum(members.values()), 1)
    parts, left = [], 0.0
    for state in ORDER:
        if count := members.get(state, 0):
            width = max(count / whole * 1000, 4.0)
            parts.append(Part(state, min(left, 996), width))
            left += width
    return parts
