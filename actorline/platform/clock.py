"""The platform's clock, by the `Date` of its responses (RFC 9110, section 6.6.1): ours may be wrong by hours."""

from datetime import UTC, datetime, timedelta
from typing import Final

from actorline.platform.client import Platform
from actorline.platform.headers import http_date

SKEW_SECS: Final = 60.0  # what the platform's clock, read to the second, may be behind its responses


def platform_time(platform: Platform) -> datetime | None:
    """Return the platform's time, to the second; None if the response doesn't say. Raises PlatformError."""
    with platform.stream("actor-runs", {"limit": 1}) as response:
        return http_date(response.headers.get("Date", ""))


def moment_ago(platform: Platform, seconds: float) -> datetime:
    """Return the moment a number of seconds ago: by the platform's clock or by ours, whichever is the earlier one.

    What began within these seconds has a later time on the platform. Raises PlatformError.
    """
    ours = datetime.now(UTC)
    return min(platform_time(platform) or ours, ours) - timedelta(seconds=seconds)
