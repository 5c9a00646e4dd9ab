"""The tables `[budgets]` of the settings file: how much each account and label may spend."""

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from actorline.time_zone import TimeZoneName

MOST_USD: Final = 9_000_000  # in nano-dollars still a whole number that every script can hold exactly
Usd = Annotated[float, Field(gt=0, le=MOST_USD, allow_inf_nan=False)]


class Limits(BaseModel):
    """What may be spent in a day and in a month of a time zone, by whatever the budget is for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    daily_usd: Usd | None = None
    monthly_usd: Usd | None = None
    timezone: TimeZoneName = "UTC"
    hard: bool = False

    @model_validator(mode="after")
    def _has_a_limit(self) -> "Limits":
        if self.daily_usd is None and self.monthly_usd is None:
            raise ValueError("give daily_usd or monthly_usd: without either the budget limits nothing")
        return self


class Budgets(BaseModel):
    """All budgets of an installation. Every process must read the same ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: dict[str, Limits] = Field({}, description="Budgets by account: see docs/budgets.md")
    label: dict[str, dict[str, Limits]] = Field({}, description="Budgets by a label's name and value")
    assumed_run_usd: Usd = Field(
        0.5, description="Dollars reserved for a start whose document has no `options.max_total_charge_usd`"
    )

    @field_validator("account")
    @classmethod
    def _one_spelling(cls, account: dict[str, Limits]) -> dict[str, Limits]:
        small = {alias.lower(): limits for alias, limits in account.items()}
        if len(small) < len(account):
            raise ValueError("an account is named twice: aliases are case-insensitive")
        return small

    @field_validator("label")
    @classmethod
    def _has_values(cls, label: dict[str, dict[str, Limits]]) -> dict[str, dict[str, Limits]]:
        if empty := [name for name, values in label.items() if not values]:
            raise ValueError(f"the label {empty[0]} has no budget: name a value, as in [budgets.label.team.search]")
        return label

    @property
    def has_hard(self) -> bool:
        return any(limits.hard for _, limits in self.named())

    def named(self) -> Iterator[tuple[str, Limits]]:
        """Yield each budget's id and limits."""
        for alias, limits in self.account.items():
            yield account_id(alias), limits
        for name, values in self.label.items():
            for value, limits in values.items():
                yield label_id(name, value), limits


def account_id(alias: str) -> str:
    return f"account:{alias.lower()}"


def label_id(name: str, value: str) -> str:
    return f"label:{name}={value}"
