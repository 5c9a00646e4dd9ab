"""Faults on demand: what networks, proxies and the platform do on bad days, made to order for tests."""

import asyncio
import re
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator


class _Fault(BaseModel):
    """Which requests it meets. A request meets the first fault that is due; each counts its matches by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str | None = Field(None, description="HTTP method; null: any")
    path_regex: str = Field(".*", description="Searched for in the path, without the query")
    nth: int | None = Field(None, ge=1, description="The first matching request that it meets; null: every one")
    times: int | None = Field(
        None, ge=1, description="How many matching requests in a row; null: one with `nth`, else without end"
    )

    @field_validator("path_regex")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        return value

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and re.search(self.path_regex, path) is not None

    def is_due(self, match: int) -> bool:
        """Return whether the rule applies to the nth matching request, counted from 1."""
        first = self.nth or 1
        times = self.times or (1 if self.nth else None)
        return match >= first and (times is None or match < first + times)


class OtherResponse(_Fault):
    """Another response instead of the platform's."""

    status: int = Field(ge=200, le=599)
    type: str = Field("internal-server-error", description="error.type of the JSON body")
    message: str = Field("Injected by the emulator", description="error.message of the JSON body")
    headers: dict[str, str] = Field(default_factory=dict)
    html: str | None = Field(None, description="An HTML body instead of the JSON, as proxies send it")


class StatusFault(OtherResponse):
    """The request isn't carried out."""

    action: Literal["status"]


class StatusAfterFault(OtherResponse):
    """The request is carried out, and the response hides it."""

    action: Literal["status_after"]


class DelayFault(_Fault):
    """The request is carried out, and its reply is held back, until all faults are ended at most."""

    action: Literal["delay"]
    secs: float = Field(ge=0)


class ResetBeforeFault(_Fault):
    """The connection is reset before the request is carried out."""

    action: Literal["reset_before"]


class ResetAfterFault(_Fault):
    """The request is carried out, then the connection is reset with no reply."""

    action: Literal["reset_after"]


class CutBodyFault(_Fault):
    """The connection ends after so many bytes of the body, as sent on the wire."""

    action: Literal["cut_body"]
    after_bytes: int = Field(ge=0)


class StallBodyFault(_Fault):
    """The reply stands still after so many bytes of the body, then goes on; until all faults are ended at most."""

    action: Literal["stall_body"]
    after_bytes: int = Field(ge=0)
    secs: float = Field(3600, ge=0)


class LateFault(_Fault):
    """The request lies somewhere on its way, and is carried out late, whether its sender waits or not."""

    action: Literal["late"]
    secs: float = Field(ge=0)


class SlowWireFault(_Fault):
    """The reply comes over a long, thin wire: late, and so many bytes a second."""

    action: Literal["slow_wire"]
    latency_secs: float = Field(0, ge=0)
    bytes_per_sec: int | None = Field(None, ge=1, description="null: as fast as it is taken")


Fault = Annotated[
    StatusFault
    | StatusAfterFault
    | DelayFault
    | ResetBeforeFault
    | ResetAfterFault
    | CutBodyFault
    | StallBodyFault
    | SlowWireFault
    | LateFault,
    Field(discriminator="action"),
]

FAULTS: TypeAdapter[list[Fault]] = TypeAdapter(list[Fault])


class FaultPlan:
    """The faults in force, with the number of requests that each has matched."""

    def __init__(self) -> None:
        self._faults: list[tuple[Fault, list[int]]] = []
        self._ended = asyncio.Event()

    def add(self, faults: list[Fault]) -> None:
        self._faults.extend((fault, [0]) for fault in faults)

    def clear(self) -> None:
        """End all faults; what they hold back goes on."""
        self._faults.clear()
        self._ended.set()
        self._ended = asyncio.Event()

    async def hold(self, secs: float) -> None:
        """Wait so many seconds, or until the faults are ended."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), secs)

    def next_fault(self, method: str, path: str) -> Fault | None:
        """Count the request and return its fault."""
        due: Fault | None = None
        for fault, matches in self._faults:
            if fault.matches(method, path):
                matches[0] += 1
                if due is None and fault.is_due(matches[0]):
                    due = fault
        return due
