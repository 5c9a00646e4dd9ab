"""`sink`: where a document's rows go."""

import re
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from actorline.jobs.document.json_faults import shown_name
from actorline.jobs.document.lengths import AtMost
from actorline.jobs.document.section import Section
from actorline.jobs.document.values import Filled

PLACEHOLDERS: Final = frozenset({"key", "date", "run_id"})


class Sink(Section):
    url: Annotated[Filled, AtMost(2_000)] | None = Field(
        None,
        description="file:///folder/, s3://bucket/folder/, gs://, az:// or abfss://; {key}, {date} and {run_id} are "
        "filled in once",
    )
    compression: Literal["gzip", "none"] = Field(
        "gzip", description="Of the rows; a format that is compressed itself stays as it is"
    )
    single_file: bool = Field(default=False, description="One file instead of a part for each page")

    @field_validator("url")
    @classmethod
    def _placeholders(cls, url: str | None) -> str | None:
        for name in re.findall(r"{([^{}]*)}", url or ""):
            if name not in PLACEHOLDERS:
                raise ValueError(f"{{{shown_name(name)}}} is not known; there are {{key}}, {{date}} and {{run_id}}")
        return url
