"""The account behind a token: who it is, and how much of its limits is used."""

from actorline.platform.client import Platform
from actorline.platform.resource import Resource


class User(Resource):
    """OpenAPI, components/schemas/UserPrivateInfo."""

    id: str | None = None
    username: str


class Limits(Resource):
    """What the account may have at most (OpenAPI, components/schemas/Limits)."""

    max_concurrent_actor_jobs: int | None = None
    max_actor_memory_gbytes: float | None = None
    max_monthly_usage_usd: float | None = None


class Usage(Resource):
    """What the account has now (OpenAPI, components/schemas/Current)."""

    active_actor_job_count: int | None = None
    actor_memory_gbytes: float | None = None
    monthly_usage_usd: float | None = None


class AccountLimits(Resource):
    """OpenAPI, components/schemas/AccountLimits."""

    limits: Limits
    current: Usage


def get_me(platform: Platform) -> User:
    """Return the account; raises AuthFailed for a token that isn't known. Source: OpenAPI, /v2/users/me."""
    return User.from_platform(platform.get_data("users/me"))


def get_limits(platform: Platform, *, silence_s: float | None = None) -> AccountLimits:
    """Return the account's limits and use. `silence_s`: ask once only, and wait no longer for it than this. Source:
    OpenAPI, /v2/users/me/limits.
    """
    return AccountLimits.from_platform(
        platform.get_data("users/me/limits", silence_s=silence_s, is_repeated=silence_s is None)
    )
