"""`on_failure`: what follows when a run of a document fails."""

from pydantic import Field

from actorline.jobs.document.section import Section
from actorline.jobs.document.values import Memory, Timeout


class OnFailure(Section):
    deliver_partial: bool = Field(
        default=True, description="Deliver the rows of a failed run, as PARTIAL; otherwise the job is FAILED"
    )
    resurrect: int = Field(0, ge=0, le=10, description="How often a run that failed or timed out is resurrected")
    resurrect_timeout_secs: Timeout | None = Field(
        None, description="Time-out from the resurrection on; default: the run's own"
    )
    resurrect_memory_mbytes: Memory | None = Field(None, description="Default: the run's own")
    new_runs: int = Field(0, ge=0, le=10, description="Further paid runs after that")

    def resurrect_query(self) -> dict[str, str]:
        given = {"timeout": self.resurrect_timeout_secs, "memory": self.resurrect_memory_mbytes}
        return {name: str(value) for name, value in given.items() if value is not None}
