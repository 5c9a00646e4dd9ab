"""Settings that come in groups: secrets for inputs, limits of an API key, measured constants."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class Secret(BaseModel):
    """A value that the worker writes to an input instead of `{"$secret": NAME}`."""

    value: SecretStr
    actors: list[str] = Field(default=[], description="Actors that may have it, by id or name")
    actor_tasks: list[str] = Field(default=[], description="Actor tasks that may have it, by id or name")
    accounts: list[str] = Field(default=["default"], description="Accounts whose jobs may have it")

    @field_validator("actors", "actor_tasks", "accounts", mode="before")
    @classmethod
    def _is_list(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f'must be a JSON list: ["{value[:60]}"] for one name')  # noqa: TRY004 - pydantic's way
        return value

    @model_validator(mode="after")
    def _has_a_holder(self) -> "Secret":
        if not {"actors", "actor_tasks"} & self.model_fields_set:
            raise ValueError("name the Actors or Actor tasks that may have it in __ACTORS or __ACTOR_TASKS")
        return self


class Quotas(BaseModel):
    """Limits for each API key. Requests that need no key count together as those of one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    open_jobs: int = Field(
        10_000, ge=1, description="Jobs that were ordered with the key, also as members of a batch, and haven't ended"
    )
    orders_per_minute: int = Field(
        6_000, ge=1, description="Orders, retries and dry runs over HTTP, at all gateways together"
    )
    upload_mbytes: int = Field(32, ge=11, description="Megabytes of orders under way at a gateway")
    waits: int = Field(50, ge=1, le=500, description="Requests with `wait` at a gateway")
    streams: int = Field(10, ge=1, le=100, description="Followed timelines at a gateway")
    downloads: int = Field(10, ge=1, le=100, description="Downloads at a gateway")


class Tuning(BaseModel):
    """Measured constants, which tests and benchmarks set."""

    send_by_secs: float = Field(
        10,
        ge=1,
        le=12,  # shorter than START_LEASE_SECS of stages/start_lease.py
        description="Seconds after taking the start lease within which a start is sent",
    )
    start_lookback_secs: float = Field(
        86_400, ge=0, description="Seconds that a start looks back for its own run after a restart of Redis"
    )
    dataset_lag_secs: float = Field(
        10,
        ge=0,
        description="Seconds after a run's end during which the platform's item counter may lag",
    )
    countdown_polls: int = Field(
        50,
        ge=0,
        description="Running jobs up to which each is polled by itself; more are watched together, by one list of the "
        "account's runs",
    )
