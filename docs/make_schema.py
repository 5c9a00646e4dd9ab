"""Writes docs/job-document.schema.json, the JSON Schema of the job document, from the model that checks it."""

import json
from pathlib import Path
from typing import Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema

from actorline.jobs.document import JobDocument

TARGET: Final = Path(__file__).with_name("job-document.schema.json")


class _WithoutTitles(GenerateJsonSchema):
    """A field's title would only repeat its name."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        del schema
        return False


def schema_text() -> str:
    schema: JsonSchemaValue = JobDocument.model_json_schema(schema_generator=_WithoutTitles)
    named = {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "Actorline's job document, version 1"}
    return json.dumps(named, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(schema_text())
