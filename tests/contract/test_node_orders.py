"""The example for Node.js orders over HTTP. It is here since Node.js is needed; the platform's document isn't."""

import os
import shutil
import subprocess

import pytest
from gateway_process import running_gateway
from real_parts import ROOT

KEY = "canary-0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def gateway(line):
    with running_gateway(line, token=KEY, ACTORLINE_GATEWAY_KEY=KEY) as gateway:
        yield gateway


def run_node(gateway, actor: str, key: str, api_key: str = KEY) -> "subprocess.CompletedProcess[str]":
    node = shutil.which("node")
    if node is None:
        pytest.fail("Node.js is missing: install version 18 or newer. This test is never skipped.")
    return subprocess.run(
        [node, ROOT / "examples" / "node_orders.mjs", actor, key],
        env={"PATH": os.environ["PATH"], "ACTORLINE_URL": gateway.url, "ACTORLINE_KEY": api_key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_node_orders_waits_and_reads_every_row(gateway):
    actor = gateway.line.emulator.actor("example-node", items=2500, item_kind="nasty")
    for _ in range(2):  # the second time it joins
        done = run_node(gateway, actor, "example-node")
        assert (done.returncode, done.stdout.partition(" rows")[0]) == (0, "DELIVERED: 2500"), done.stderr
    assert len(gateway.line.emulator.starts(actor)) == 1


def test_node_says_why_it_was_refused(gateway):
    assert "document-invalid: " in run_node(gateway, "x", "no/key").stderr
    assert "auth: " in run_node(gateway, "x", "k", api_key="wrong").stderr
