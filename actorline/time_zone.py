"""Names of time zones, as schedules and budgets give them."""

from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator

from actorline.nearest import nearest


def _check(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        hint = nearest(name, available_timezones()) or "; use a name such as Europe/Prague"
        raise ValueError(f"{name!r} is not a time zone{hint}") from error
    return name


TimeZoneName = Annotated[str, AfterValidator(_check)]
