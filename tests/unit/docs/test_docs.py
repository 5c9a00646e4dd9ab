import json
import pkgutil
import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest

from actorline.cli.terminal.next_command import NEXT
from actorline.errors import Code
from actorline.gateway import routes
from actorline.gateway.intake.body import MAX_BODY_BYTES
from actorline.jobs.document.job_document import JobDocument
from actorline.jobs.document.parse import MAX_INPUT_BYTES
from actorline.jobs.job_result import JobResult
from actorline.jobs.progress import Progress
from actorline.jobs.states import TERMINAL, State
from actorline.settings import Settings

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(
    ("maker", "function", "made"),
    [
        ("make_schema.py", "schema_text", "job-document.schema.json"),
        ("make_schema.py", "batch_schema_text", "batch-document.schema.json"),
        ("make_document.py", "document_text", "job-document.md"),
        ("make_settings.py", "settings_text", "settings.md"),
        ("make_commands.py", "commands_text", "commands.md"),
        ("make_redis.py", "redis_text", "redis.md"),
        ("make_metrics.py", "metrics_text", "metrics.md"),
    ],
)
def test_what_is_published_is_what_the_code_says(maker, function, made, monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))  # as for a script in that folder
    text = runpy.run_path(str(DOCS / maker))[function]()
    assert (DOCS / made).read_text() == text, "run `make docs`"


def test_every_field_of_the_document_says_what_it_means():
    rows = [line.split(" | ") for line in (DOCS / "job-document.md").read_text().splitlines() if line.startswith("| `")]
    fields = [cells for cells in rows if "[section]" not in cells[1]]
    assert len(fields) > 50
    assert [cells[0] for cells in fields if not cells[-1].strip("| ")] == []


def test_results_name_every_field_state_and_code():
    page = (DOCS / "results.md").read_text()
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    named = {name.strip("| `") for cells in rows for name in cells[0].split(",")}
    assert named == {*JobResult.model_fields, *State, *Code}
    assert {cells[0].strip("| `") for cells in rows if cells[-1] == "yes |"} == TERMINAL


def test_http_names_every_route():
    found = (import_module(f"{routes.__name__}.{each.name}") for each in pkgutil.iter_modules(routes.__path__))
    served = {
        f"{method} {route.path}"
        for module in found
        for route in getattr(getattr(module, "router", None), "routes", ())
        for method in route.methods
    }
    named = re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", (DOCS / "http.md").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(served)
    assert f"{MAX_BODY_BYTES:,} bytes, {MAX_INPUT_BYTES:,}" in (DOCS / "http.md").read_text()


def test_celery_names_what_a_waiting_caller_sees():
    page = (DOCS / "celery.md").read_text()
    assert [name for name in Progress.model_fields if f"`{name}`" not in page] == []


def test_each_reason_has_its_paragraph():
    _, reasons = (DOCS / "troubleshooting.md").read_text().split("\n## Reasons\n")
    assert [part.split("\n")[0] for part in reasons.split("\n### ")[1:]] == list(Code)


def test_each_reason_names_its_next_command_or_has_none():
    assert set(NEXT) == set(Code)
    _, reasons = (DOCS / "troubleshooting.md").read_text().split("\n## Reasons\n")
    paragraphs = {name: text for name, _, text in (part.partition("\n") for part in reasons.split("\n### ")[1:])}
    missing = {code for code, command in NEXT.items() if command and f"`{command}`" not in paragraphs[code]}
    assert missing == set()


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
