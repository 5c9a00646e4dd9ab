import json
import runpy
from pathlib import Path

import pytest

from actorline.jobs.document import JobDocument
from actorline.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(
    ("maker", "function", "made"),
    [
        ("make_schema.py", "schema_text", "job-document.schema.json"),
        ("make_settings.py", "settings_text", "settings.md"),
        ("make_redis.py", "redis_text", "redis.md"),
    ],
)
def test_what_is_published_is_what_the_code_says(maker, function, made):
    text = runpy.run_path(str(DOCS / maker))[function]()
    assert (DOCS / made).read_text() == text, "run `make docs`"


def test_the_schema_holds_all_fields_and_exactly_one_target():
    schema = json.loads((DOCS / "job-document.schema.json").read_text())
    assert set(schema["properties"]) == set(JobDocument.model_fields)
    assert schema["additionalProperties"] is False
    assert [each["required"] for each in schema["oneOf"]] == [["actor"], ["actor_task"], ["run_id"], ["dataset_id"]]


def test_every_setting_has_its_line_with_its_variable():
    text = (DOCS / "settings.md").read_text()
    for name, field in Settings.model_fields.items():
        assert field.description
        section = getattr(field.annotation, "model_fields", {})
        for shown in [f"{name}.{part}" for part in section] or [name]:
            assert f"| `{shown}` |" in text
    for variable in ("`APIFY_TOKEN`", "`ACTORLINE_REDIS_URL`", "`ACTORLINE_SECRETS__<NAME>__ACTORS`"):
        assert variable in text
