"""`options`: how a document's run is started, in the words of `docs/platform-facts.md#start-parameters`."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field

from actorline.jobs.document.lengths import AtMost
from actorline.jobs.document.query import query_of
from actorline.jobs.document.section import Section
from actorline.jobs.document.values import Filled, Memory, Number, Timeout, Usd


class Options(Section):
    """How the run is started. What isn't set is as the Actor or the Actor task has it."""

    memory_mbytes: Memory | None = Field(None, description="Memory of the run; a power of 2")
    timeout_secs: Timeout | None = Field(None, description="The run's own time-out; 0: none")
    build: Annotated[Filled, AtMost(100)] | None = Field(None, description="Tag or number")
    max_items: Number | None = Field(None, description="Limits what is charged, not what is fetched")
    max_total_charge_usd: Usd | None = Field(None, description="Most that the run may cost")
    restart_on_error: bool = Field(default=False, description="Whether the platform restarts the run when it fails")
    force_permission_level: Literal["LIMITED_PERMISSIONS", "FULL_PERMISSIONS"] | None = Field(
        None, description="What the Actor may do in the account; asynchronous starts of Actors only"
    )

    def query(self) -> dict[str, str]:
        return query_of(self, OPTION_PARAMETERS)


OPTION_PARAMETERS: Final[Mapping[str, str]] = {
    "memory_mbytes": "memory",
    "timeout_secs": "timeout",
    "build": "build",
    "max_items": "maxItems",
    "max_total_charge_usd": "maxTotalChargeUsd",
    "restart_on_error": "restartOnError",
    "force_permission_level": "forcePermissionLevel",
}
