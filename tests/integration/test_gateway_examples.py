"""The examples of orders over HTTP, as a person runs them."""

import os
import shutil
import subprocess

import pytest
from gateway_process import Gateway, running_gateway
from real_parts import ROOT

pytestmark = pytest.mark.thorough

KEY = "canary-0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def gateway(line):
    with running_gateway(line, token=KEY, ACTORLINE_GATEWAY_KEY=KEY) as gateway:
        yield gateway


def run_curl(gateway: Gateway, actor: str, key: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    if shutil.which("curl") is None:
        pytest.fail("curl is missing: install it. This test is never skipped.")
    return subprocess.run(
        [ROOT / "examples" / "curl.sh", actor, key],
        env={"PATH": os.environ["PATH"], "ACTORLINE_URL": gateway.url, "ACTORLINE_KEY": KEY, **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_curl_orders_waits_and_gets_every_row(gateway):
    actor = gateway.line.emulator.actor("example-curl", items=30)
    for _ in range(2):  # the second time it joins
        done = run_curl(gateway, actor, "example-curl")
        assert done.returncode == 0, done.stderr
        result = gateway.ended("example-curl")
        assert done.stdout == gateway.line.emulator.item_lines(result["dataset_id"])
    assert len(gateway.line.emulator.starts(actor)) == 1


def test_curl_fails_when_the_job_does(gateway):
    actor = gateway.line.emulator.actor("example-curl-failed", items=0, final_status="FAILED")
    done = run_curl(gateway, actor, "example-curl-failed")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"run-failed" in done.stderr


def test_curl_shows_why_it_was_refused(gateway):
    done = run_curl(gateway, "x", "no/key")
    assert done.returncode == 22
    assert b"document-invalid" in done.stderr
    done = run_curl(gateway, "x", "k", ACTORLINE_KEY="")
    assert b'"status":401' in done.stderr
