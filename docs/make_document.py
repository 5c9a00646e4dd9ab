"""Writes docs/job-document.md, the reference of the job document, from the fields of its model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from value_bounds import bounds, known

from actorline.jobs.document.job_document import JobDocument

TARGET: Final = Path(__file__).with_name("job-document.md")

HEAD: Final = """\
<!-- Made by docs/make_document.py from actorline/jobs/document/ (`make docs`). -->
# The job document

One order, the same at every entrance. Exactly one of `actor`, `actor_task`, `run_id` and `dataset_id` is needed;
everything else has a default. An unknown field is refused by name. For programs: the
[JSON Schema](job-document.schema.json).

```json
{
  "key": "prices-2026-11-23",
  "actor": "apify/website-content-crawler",
  "input": {"startUrls": [{"url": "https://docs.apify.com/"}], "maxCrawlPages": 3},
  "options": {"memory_mbytes": 2048, "timeout_secs": 600, "max_total_charge_usd": 1.0},
  "collect": {"format": "csv", "fields": ["url", "title"], "records": ["OUTPUT"]},
  "sink": {"url": "s3://rows/{key}/"},
  "deadline_secs": 3600
}
```

Where a value of the input must stay secret, write `{"$secret": "NAME"}` in its place: the operator keeps the value in
`ACTORLINE_SECRETS__<NAME>__VALUE` ([settings](settings.md)), and it is filled in when the run is started.
"""

TABLE_HEAD: Final = """
| Field | Type | Default | Meaning |
|---|---|---|---|
"""


def document_text() -> str:
    """Return the page: the fields of the document, then those of each of its sections."""
    schema = JobDocument.model_json_schema()
    sections = {
        name: known(field)["$ref"].rpartition("/")[2]
        for name, field in schema["properties"].items()
        if "$ref" in known(field)
    }
    page = HEAD + TABLE_HEAD + "".join(_rows("", schema["properties"], sections))
    for name, model in sections.items():
        section = schema["$defs"][model]
        page += (
            f"\n## {name}\n" + _sentence(section) + TABLE_HEAD + "".join(_rows(f"{name}.", section["properties"], {}))
        )
    return page


def _sentence(section: dict[str, Any]) -> str:
    described = section.get("description")
    return f"\n{described}\n" if described else ""


def _rows(prefix: str, fields: dict[str, Any], sections: dict[str, str]) -> Iterator[str]:
    for name, field in fields.items():
        if name in sections:
            yield f"| `{name}` | [section](#{name}) | | {field.get('description', '')} |\n"
            continue
        default = json.dumps(field.get("default"))
        shown = "" if default == "null" else f"`{default}`"
        meaning = field.get("description", "").replace("|", "\\|")
        yield f"| `{prefix}{name}` | {_type(field)} | {shown} | {meaning}{bounds(field)} |\n"


def _type(field: dict[str, Any]) -> str:
    value = known(field)
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if value.get("type") == "array":
        return "list of strings"
    if "anyOf" in value.get("additionalProperties", {}):
        return "object"
    return {"object": "object of strings", None: "any"}.get(value.get("type"), str(value.get("type")))


if __name__ == "__main__":
    TARGET.write_text(document_text())
