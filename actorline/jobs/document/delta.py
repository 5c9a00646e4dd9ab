"""What a job's rows are compared with (`delta`), and what its result says of the changes. Pure: no I/O."""

from typing import Annotated, Final, Self

from pydantic import BaseModel, Field, field_validator

from actorline.delivery.manifest import Changes
from actorline.identifiers import JobKey
from actorline.jobs.document.guard import Paths
from actorline.jobs.document.section import Section

LAST: Final = JobKey("last")
KEY_PATHS_MAX: Final = 20
COMPARED: Final = frozenset({"jsonl", "json"})
"""The formats whose rows are read back as they were delivered: of csv every value is a text."""


class Delta(Section):
    """What changed since an earlier delivery: added, removed and changed rows, in `changes/` beside the rows."""

    key: Annotated[Paths, Field(min_length=1, max_length=KEY_PATHS_MAX)] = Field(
        description="Fields that together are a row's key"
    )
    base: JobKey = Field(
        LAST,
        description="`last`: the last delivery of the same schedule, or of the same Actor with the same labels; or the "
        "key of a delivered job (in a template: of a batch)",
    )

    @field_validator("key")
    @classmethod
    def _names_each_path_once(cls, key: list[str]) -> list[str]:
        if twice := next((path for number, path in enumerate(key) if path in key[:number]), None):
            raise ValueError(f"names {twice} twice")
        return key


class JobChanges(BaseModel):
    """What a result says of the changes; all of it is in the manifest. `base`: null if there was no earlier delivery.
    `error`: why what changed isn't known; the rows are delivered all the same.
    """

    base: JobKey | None
    added: int | None = None
    removed: int | None = None
    changed: int | None = None
    unchanged: int | None = None
    repeated: int | None = Field(None, description="Rows whose key a later row of the delivery has")
    without_key: int | None = Field(None, description="Rows without the key, which are not compared")
    error: str | None = None

    @classmethod
    def of(cls, changes: Changes) -> Self:
        counts = changes.counts
        if counts is None:
            return cls(base=changes.base, error=changes.error)
        return cls(
            base=changes.base,
            added=counts.added,
            removed=counts.removed,
            changed=counts.changed,
            unchanged=counts.unchanged,
            repeated=counts.repeated_after,
            without_key=counts.without_key_after,
        )

    @property
    def finds_no_key(self) -> bool:
        """Return whether no row of the delivery has the key, as if a field's name were misspelt."""
        return bool(self.without_key) and not (self.added or self.changed or self.unchanged)
