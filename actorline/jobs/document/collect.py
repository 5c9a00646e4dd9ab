"""`collect`: which rows and records of a run are fetched, and as what: `docs/platform-facts.md#item-parameters`."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import FailFast, Field, model_validator

from actorline.delivery.formats.rules import contradiction
from actorline.jobs.document.lengths import AtMost
from actorline.jobs.document.query import query_of
from actorline.jobs.document.section import Section
from actorline.jobs.document.values import MOST, FieldNames, Filled, Number, RecordKey, XmlName


class Collect(Section):
    """What is fetched from the run's dataset and key-value store."""

    dataset: bool = Field(default=True, description="Whether rows are fetched")
    format: Literal["jsonl", "json", "csv", "xml", "xlsx", "html", "rss", "parquet"] = Field(
        "jsonl", description="See docs/formats.md"
    )
    limit: Number | None = Field(None, description="Most items to fetch")
    offset: Annotated[int, Field(ge=0), AtMost(MOST)] = Field(0, description="Items to leave out at the beginning")
    desc: bool = Field(default=False, description="Newest items first")
    clean: bool = Field(default=False, description="Neither empty items nor fields that begin with #")
    fields: FieldNames = Field([], description="Fields to keep, in this order")
    output_fields: FieldNames = Field([], description="New names for them, by position")
    omit: FieldNames = Field([], description="Fields to leave out")
    unwind: FieldNames = Field(
        [], description="Fields whose elements become rows of their own, or are merged into the row"
    )
    flatten: FieldNames = Field([], description="Fields whose own fields become `field.inner`")
    view: Annotated[str, AtMost(200)] | None = Field(None, description="A view of the dataset's schema")
    skip_empty: bool = Field(default=False, description="Leave out empty items")
    skip_hidden: bool = Field(default=False, description="Leave out fields that begin with #")
    bom: bool | None = Field(None, description="csv: begin with a byte order mark; default: the platform's")
    delimiter: Annotated[Filled, AtMost(20)] | None = Field(
        None, description="csv: between the cells; default: a comma"
    )
    skip_header_row: bool = Field(default=False, description="csv: no header")
    xml_root: XmlName | None = Field(None, description="xml: name of the outer element; default: items")
    xml_row: XmlName | None = Field(None, description="xml: name of a row's element; default: item")
    page_items: int | None = Field(None, ge=1, lt=250_000, description="Items per page; default: by bytes")
    records: Annotated[list[RecordKey], FailFast(), AtMost(1_000)] = Field(
        ["OUTPUT"], description="Keys to fetch from the run's key-value store; missing ones are skipped"
    )
    all_records: bool = Field(default=False, description="Fetch all of them")
    while_running: bool = Field(default=True, description="Fetch full pages while the run is still running")

    @model_validator(mode="after")
    def _renames_match(self) -> "Collect":
        if self.output_fields and len(self.output_fields) != len(self.fields):
            raise ValueError("output_fields renames fields by position: give both, of the same length")
        return self

    @model_validator(mode="after")
    def _goes_with_the_format(self) -> "Collect":
        problem = contradiction(self.format, self.model_dump(exclude_defaults=True))
        if problem:
            raise ValueError(problem)
        return self

    def query(self) -> dict[str, str]:
        return query_of(self, COLLECT_PARAMETERS)

    @property
    def stop(self) -> int | None:
        """Return the first item beyond those that were ordered; None: all are."""
        return None if self.limit is None else self.offset + self.limit

    @property
    def keeps_count(self) -> bool:
        """Return whether each scanned item is exactly one row: nothing skips or unwinds."""
        return not (self.clean or self.skip_empty or self.unwind or self.view)


COLLECT_PARAMETERS: Final[Mapping[str, str]] = {
    "format": "format",
    "desc": "desc",
    "clean": "clean",
    "fields": "fields",
    "output_fields": "outputFields",
    "omit": "omit",
    "unwind": "unwind",
    "flatten": "flatten",
    "view": "view",
    "skip_empty": "skipEmpty",
    "skip_hidden": "skipHidden",
    "bom": "bom",
    "delimiter": "delimiter",
    "skip_header_row": "skipHeaderRow",
    "xml_root": "xmlRoot",
    "xml_row": "xmlRow",
}
