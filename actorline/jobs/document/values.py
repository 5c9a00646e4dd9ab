"""The types of a document's values: names and ids of the platform, keys of records, names of fields, labels."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, FailFast, Field

from actorline.budgets.limits import MOST_USD
from actorline.identifiers import AccountName, DatasetId, RunId
from actorline.jobs.document.lengths import AtMost

MOST: Final = 2**53 - 1  # the platform counts in JavaScript, which is exact up to here
MOST_SECS: Final = 3_650 * 86_400  # ten years: beyond the life of any job, and short of the end of all calendars

_PLAIN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
_OWNER = r"[A-Za-z0-9_.-]{3,100}"  # accounts from before the platform's stricter rule begin with any of these
_NAME = Field(pattern=rf"^(({_PLAIN}|{_OWNER})[/~])?{_PLAIN}$|^~{_PLAIN}$")
Name = Annotated[str, _NAME]
DatasetName = Annotated[DatasetId, _NAME]
Id = Annotated[RunId, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
RecordKey = Annotated[str, Field(pattern=r"^[a-zA-Z0-9!\-_.'()]{1,256}$")]  # docs/platform-facts.md#record-keys
Number = Annotated[int, Field(ge=1), AtMost(MOST)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False), AtMost(MOST_SECS)]
Timeout = Annotated[int, Field(ge=0), AtMost(MOST_SECS)]
Usd = Annotated[float, Field(gt=0, allow_inf_nan=False), AtMost(MOST_USD)]
Filled = Annotated[str, Field(min_length=1)]
FieldName = Annotated[
    str, Field(min_length=1, pattern=r"^[^,]*$", description="No comma: lists are comma-joined"), AtMost(500)
]
FieldNames = Annotated[list[FieldName], FailFast(), AtMost(1_000)]
XmlName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$")]
_WORD = "[A-Za-z0-9_.+-]{1,100}"
MEDIA_TYPE_PATTERN: Final = re.compile(rf"{_WORD}/{_WORD}( *; *{_WORD}={_WORD})*")
MediaType = Annotated[str, Field(max_length=300, pattern=f"^{MEDIA_TYPE_PATTERN.pattern}$")]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Account = Annotated[
    AccountName,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", description="An alias; case-insensitive"),
    AfterValidator(str.lower),
]


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        below = 1 << (value.bit_length() - 1)
        raise ValueError(f"must be a power of 2: use {below} or {min(below * 2, 32768)}")
    return value


Memory = Annotated[int, Field(ge=128, le=32768, description="A power of 2"), AfterValidator(_power_of_two)]
