"""The HTTP door against its own OpenAPI document: whatever fits it and whatever doesn't, schemathesis sends it."""

import subprocess
import sys
from pathlib import Path

import pytest
from gateway_process import Gateway, running_gateway
from real_parts import running_line

from actorline.errors import Code

pytestmark = pytest.mark.thorough

BOOTSTRAP = "0123456789abcdef0123456789abcdef"
SECONDS = 35
SETTINGS = """
# what a JSON Schema can't say (a power of two, the same key in header and document) is refused with 422
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]

# a job that has ended, so that nothing is waited for
[parameters]
"path.key" = "fuzzed"
"path.name" = "OUTPUT"
"""


@pytest.fixture(scope="module")
def gateway(valkey, emulator, tmp_path_factory):
    actor = emulator.actor("gw-openapi", items=20, duration_secs=0.2, records={"OUTPUT": {"body": {"a": 1}}})
    with (
        running_line(valkey, emulator, tmp_path_factory.mktemp("line"), "gw-openapi") as line,
        running_gateway(line, token=BOOTSTRAP, ACTORLINE_GATEWAY_KEY=BOOTSTRAP) as gateway,
    ):
        assert gateway.delivered("fuzzed", actor=actor)["state"] == "DELIVERED"
        yield gateway


@pytest.fixture(scope="module")
def document(gateway: Gateway):
    return gateway.http.get("/openapi.json").json()


@pytest.mark.timeout(180)
def test_nothing_that_is_sent_breaks_the_document_or_the_door(gateway, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{gateway.url}/openapi.json", "--checks", "all",
        "--header", f"Authorization: Bearer {BOOTSTRAP}", "--max-time", str(SECONDS), "--workers", "2", "--seed", "1",
        "--generation-database", "none", "--request-timeout", "30", "--warnings", "off", "--no-color",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert gateway.logged("request_failed") == []
    assert gateway.http.get("/readyz").status_code == 200


def test_the_document_names_every_status_with_a_problem_document(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = {status: response for status, response in operation["responses"].items() if status >= "400"}
            if path != "/healthz":
                assert "500" in statuses, (method, path)
            for status, response in statuses.items():
                assert list(response["content"]) == ["application/problem+json"], (method, path, status)


def test_the_document_holds_the_job_document_the_result_and_the_codes(document):
    schemas = document["components"]["schemas"]
    assert {"JobDocument", "JobResult", "JobList", "Problem", "Collect", "Options"} <= set(schemas)
    order = document["paths"]["/v1/jobs"]["post"]
    assert order["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/JobDocument"}
    assert set(schemas["Code"]["enum"]) == set(Code)
    assert {"200", "202", "401", "403", "408", "409", "413", "415", "422", "500", "503"} == set(order["responses"])


def test_the_documents_examples_are_taken(gateway, document):
    order = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert gateway.http.post("/v1/jobs", json=order).status_code in {200, 202}
