"""A contract that past deliveries keep (`actorline guard suggest`), with room for a worse day. Pure: no I/O."""

import math
from collections.abc import Sequence
from typing import Any, Final

from actorline.delivery.row_counts import JsonType
from actorline.delivery.row_survey import RowSurvey
from actorline.jobs.document.guard import PATHS_MAX, Guard

RARELY_MISSING: Final = 0.03  # in every delivery: then a field is required
LEAST_MISSING: Final = 0.05  # what a contract allows at least
MAX_DUPLICATES: Final = 0.05  # of a key that never repeated
ITEMS_SHARE: Final = 0.5  # of the smallest delivery
COST_FACTOR: Final = 2.0  # of the dearest
KEY_NAMES: Final = ("url", "id", "sku", "asin", "key", "uuid", "link")
"""What a key is often called, the most telling first; among others the first field of a row wins."""


def learn_guard(surveys: Sequence[RowSurvey], usd_per_1000: Sequence[float]) -> Guard | None:
    """Return the contract; None if the deliveries have nothing in common. `usd_per_1000`: of those whose cost is known.

    Every delivery keeps it, looked at as a whole or after any row from `after_items` on.
    """
    with_rows = [survey for survey in surveys if survey.rows]
    rules: dict[str, Any] = {}
    if required := _required(with_rows):
        worst = max(survey.fields[path].worst_missing for survey in with_rows for path in required)
        rules |= {"required": required, "max_missing": max(LEAST_MISSING, _up(2 * worst, digits=2))}
        if types := {path: kind for path in required if (kind := _type(with_rows, path))}:
            rules["types"] = types
        if key := _key(with_rows, required):
            rules |= {"unique": [key], "max_duplicates": MAX_DUPLICATES}
    if least := int(min((survey.rows for survey in surveys), default=0) * ITEMS_SHARE):
        rules["min_items"] = least
    if usd_per_1000 and (most := max(usd_per_1000)) > 0:
        rules["max_usd_per_1000"] = _up(COST_FACTOR * most, digits=1 - math.floor(math.log10(most)))
    return Guard.model_validate(rules) if rules else None


def _required(surveys: Sequence[RowSurvey]) -> list[str]:
    """Return the fields that nearly all rows of each delivery have, in the order of the first one."""
    paths = [
        path
        for path in (surveys[0].fields if surveys else ())
        if all(path in survey.fields and survey.fields[path].worst_missing <= RARELY_MISSING for survey in surveys)
    ]
    return paths[:PATHS_MAX]


def _type(surveys: Sequence[RowSurvey], path: str) -> JsonType | None:
    """Return the one type that a field has in all rows; None if there are several."""
    types = set[JsonType]().union(*(survey.fields[path].types for survey in surveys))
    return types.pop() if len(types) == 1 else None


def _key(surveys: Sequence[RowSurvey], required: Sequence[str]) -> str | None:
    """Return a field whose value never came twice in a delivery of several rows."""
    if max(survey.rows for survey in surveys) < 2:  # noqa: PLR2004 - one row tells nothing
        return None
    unique = [path for path in required if all(_tells_apart(survey, path) for survey in surveys)]
    named = [path for name in KEY_NAMES for path in unique if path.lower() == name]
    return next(iter([*named, *unique]), None)


def _tells_apart(survey: RowSurvey, path: str) -> bool:
    found = survey.fields[path]
    return found.keys is not None and not found.keys.repeats and found.types <= {"string", "number"}


def _up(number: float, *, digits: int) -> float:
    """Return the number rounded up."""
    step = 10.0**-digits
    return round(math.ceil(number / step - 1e-9) * step, max(digits, 0))
