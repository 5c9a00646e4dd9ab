"""The HTTP gateway against its own OpenAPI document: whatever fits it and whatever doesn't, schemathesis sends it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gateway_process import Gateway, running_gateway
from real_parts import running_line

from actorline.api_keys import create_key
from actorline.errors import Code
from actorline.jobs.rights import Rights, Scope
from actorline.jobs.sender import FROM_TERMINAL

pytestmark = pytest.mark.thorough

BOOTSTRAP = "0123456789abcdef0123456789abcdef"
SECONDS = 15
SECONDS_A_KEY = 8
SETTINGS = """
# what a JSON Schema can't say (a power of two, the same key in header and document) is refused with 422
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]

# a job that has ended, so that nothing is waited for
[parameters]
"path.key" = "{key}"
{more}"path.name" = "OUTPUT"
"""
CANARY_CHECK = """
import schemathesis

@schemathesis.check
def tells_nothing_of_another_account(ctx, response, case):
    assert b"canary" not in response.content
"""
KEYS = {
    "reader": Rights(scopes=frozenset({Scope.READ}), accounts=frozenset({"default"})),
    "service": Rights(
        scopes=frozenset({Scope.SUBMIT, Scope.READ, Scope.CANCEL}), accounts=frozenset({"default"}),
        actors=frozenset({"demo~gw-openapi"}), actor_tasks=frozenset(), max_usd_per_run=1, max_usd_per_day=5,
    ),
    "manager": Rights(scopes=frozenset(Scope) - {Scope.SUBMIT, Scope.READ}, accounts=frozenset({"default"})),
}  # fmt: skip


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


def start_fuzzing(gateway: Gateway, folder: Path, token: str, *, seconds: int, key: str, more: str = "") -> Any:
    """`more`: further parameters with fixed values, for a key that may see nothing of the second account."""
    folder.mkdir(exist_ok=True)
    (folder / "schemathesis.toml").write_text(SETTINGS.format(key=key, more=more))
    (folder / "canary_check.py").write_text(CANARY_CHECK if more else "")
    # one thread: in two, Python 3.11 may fail to parse source (SystemError: AST constructor recursion depth mismatch)
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{gateway.url}/openapi.json", "--checks", "all",
        "--header", f"Authorization: Bearer {token}", "--max-time", str(seconds), "--workers", "1", "--seed", "1",
        "--generation-database", "none", "--request-timeout", "60", "--warnings", "off", "--no-color",
    ]  # fmt: skip
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "canary_check", "PYTHONPATH": str(folder)}
    with (folder / "out").open("w") as out:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)


@pytest.mark.timeout(600)
def test_nothing_that_is_sent_breaks_the_document_or_the_door(gateway, tmp_path):
    fuzzing = start_fuzzing(gateway, tmp_path, BOOTSTRAP, seconds=SECONDS, key="fuzzed")
    assert fuzzing.wait(300) == 0, (tmp_path / "out").read_text()[-6000:]
    assert gateway.logged("request_failed") == []
    assert gateway.http.get("/readyz").status_code == 200


@pytest.mark.timeout(600)
def test_no_key_is_told_of_another_accounts_job(gateway, tmp_path):
    """Three keys of different rights, all at once; whatever they ask for is a job of an account that they don't see."""
    theirs = {"key": "theirs", "actor": "canary/actor", "account": "second", "labels": {"canary": "canary"}}
    assert gateway.http.post("/v1/jobs", json=theirs).status_code == 202
    runs = {
        name: start_fuzzing(
            gateway,
            tmp_path / name,
            create_key(gateway.line.ledger, name, rights, FROM_TERMINAL),
            seconds=SECONDS_A_KEY,
            key="theirs",
            more='"header.Idempotency-Key" = "theirs"\n',
        )
        for name, rights in KEYS.items()
    }
    for name, fuzzing in runs.items():
        assert fuzzing.wait(300) == 0, (name, (tmp_path / name / "out").read_text()[-6000:])
    assert gateway.logged("request_failed") == []
    whose = {entry.data.get("by") for entry in gateway.line.ledger.timeline.entries("theirs")} - {None}
    assert whose == {"(operator)"}


def test_the_document_names_every_status_with_a_problem_document(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = {status: response for status, response in operation["responses"].items() if status >= "400"}
            if path != "/healthz":
                assert "500" in statuses, (method, path)
            for status, response in statuses.items():
                assert list(response["content"]) == ["application/problem+json"], (method, path, status)


def test_the_document_holds_job_document_result_and_codes(document):
    schemas = document["components"]["schemas"]
    assert {"JobDocument", "JobResult", "JobList", "Problem", "Collect", "Options"} <= set(schemas)
    order = document["paths"]["/v1/jobs"]["post"]
    assert order["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/JobDocument"}
    assert set(schemas["Code"]["enum"]) == set(Code)
    assert {"200", "202", "401", "403", "408", "409", "413", "415", "422", "429", "500", "503"} == set(
        order["responses"]
    )


def test_the_documents_examples_are_taken(gateway, document):
    order = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert gateway.http.post("/v1/jobs", json=order).status_code in {200, 202}
