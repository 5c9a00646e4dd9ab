"""Writes the JSON Schemas of the job document and the batch document from the models that check them."""

import json
from pathlib import Path
from typing import Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema

from actorline.batches.document import BatchDocument
from actorline.jobs.document.job_document import JobDocument

TARGET: Final = Path(__file__).with_name("job-document.schema.json")
BATCH_TARGET: Final = Path(__file__).with_name("batch-document.schema.json")


class _WithoutTitles(GenerateJsonSchema):
    """A field's title would only repeat its name."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        del schema
        return False


def schema_text() -> str:
    return _text(JobDocument, "Actorline's job document, version 1")


def batch_schema_text() -> str:
    return _text(BatchDocument, "Actorline's batch document, version 1")


def _text(document: type[JobDocument | BatchDocument], title: str) -> str:
    schema: JsonSchemaValue = document.model_json_schema(schema_generator=_WithoutTitles)
    named = {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": title}
    return json.dumps(named, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema_text())
    BATCH_TARGET.write_text(batch_schema_text())
