"""Leaves out most jobs that don't fit a filter, by their keys and by texts in their documents as they are stored."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from actorline.jobs.actor_name import spelling
from actorline.jobs.states import State


@dataclass(frozen=True)
class Sieve:
    """What is asked of a job. `accounts`: in lower case, None: any; `actor`: by name or ID; `text`: a part of its
    key; `states`: None: any. A job that doesn't fit may come through where only reading it as a whole tells.
    """

    labels: Mapping[str, str]
    accounts: Collection[str] | None
    actor: str
    text: str
    states: Collection[State] | None = None

    @property
    def is_set(self) -> bool:
        is_open = self.accounts is None and self.states is None
        return not is_open or bool(self.text or self.labels or self.actor)

    def arguments(self) -> list[str]:
        """Return the last arguments of the script `newest`."""
        return [self.text, _listed(self.accounts), json.dumps(self._groups()), _listed(self.states)]

    def _groups(self) -> list[list[str]]:
        """Return texts of which a stored document that fits has one of each group."""
        labels = [[f"{_stored(name)}:{_stored(value)}"] for name, value in self.labels.items()]
        name = spelling(self.actor)
        spellings = dict.fromkeys([self.actor, name, name.replace("~", "/")])
        return [*labels, *([[f":{_stored(each)}" for each in spellings]] if self.actor else [])]


def _listed(texts: Collection[str] | None) -> str:
    return "" if texts is None else f",{','.join(texts)},"


def _stored(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
