"""Which jobs a list shows: all of it is in the URL, so that a list can be kept and passed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Self
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from actorline.errors import Code, Refused
from actorline.gateway.labels import parse_labels
from actorline.jobs.states import State

SPANS: Final[Mapping[str, tuple[str, int]]] = {
    "1h": ("last hour", 3_600),
    "24h": ("last 24 hours", 86_400),
    "7d": ("last 7 days", 7 * 86_400),
    "30d": ("last 30 days", 30 * 86_400),
}
LONGEST: Final = 200


@dataclass(frozen=True)
class JobFilter:
    """`label`: `name:value`; `text`: a part of the key, or a run's id; `within`: one of SPANS."""

    state: tuple[State, ...] = ()
    actor: str = ""
    label: tuple[str, ...] = ()
    account: str = ""
    text: str = ""
    within: str = ""

    @classmethod
    def parse(cls, query: QueryParams | Mapping[str, Sequence[str]]) -> Self:
        """Parse a query. Raises Refused for a state or a span that doesn't exist."""
        many = query.getlist if isinstance(query, QueryParams) else lambda name: list(query.get(name, []))
        one = {name: next(iter(many(name)), "").strip()[:LONGEST] for name in ("actor", "account", "text", "within")}
        found = cls(
            state=parse_states(many("state")),
            label=tuple(dict.fromkeys(label.strip()[:LONGEST] for label in many("label") if label.strip())),
            **{**one, "account": one["account"].lower()},
        )
        if found.within and found.within not in SPANS:
            raise Refused(Code.REQUEST_INVALID, f"within must be one of {', '.join(SPANS)}.")
        return found

    def query(self, **changes: object) -> str:
        """Return the URL's query, with changes; what isn't set is left out."""
        changed = replace(self, **{name: value for name, value in changes.items() if name in _NAMES})  # type: ignore[arg-type]  # by name
        others = {name: value for name, value in changes.items() if name not in _NAMES and value}
        given = {field.name: value for field in fields(changed) if (value := getattr(changed, field.name))}
        return urlencode({**given, **others}, doseq=True)

    def url(self, **changes: object) -> str:
        """Return the list's URL."""
        query = self.query(**changes)
        return f"/?{query}" if query else "/"

    def toggled(self, state: State) -> tuple[State, ...]:
        """Return the states, with this one added or taken away."""
        return tuple(each for each in self.state if each != state) if state in self.state else (*self.state, state)

    @property
    def is_set(self) -> bool:
        return self != JobFilter()

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels. Raises Refused if one isn't `name:value`."""
        return parse_labels(self.label)

    def since(self, now: float) -> float | None:
        """Return from which unix second on jobs are shown; None: from the first on."""
        return now - SPANS[self.within][1] if self.within else None


_NAMES: Final = frozenset(field.name for field in fields(JobFilter))


def parse_states(names: Sequence[str]) -> tuple[State, ...]:
    """Return the states of these names, each once. Raises Refused for one that doesn't exist."""
    return tuple(dict.fromkeys(_state(name) for name in names if name))


def _state(name: str) -> State:
    if name.upper() not in set(State):
        raise Refused(Code.REQUEST_INVALID, f"No state is named {name[:40]!r}. The states: {', '.join(State)}.")
    return State(name.upper())
