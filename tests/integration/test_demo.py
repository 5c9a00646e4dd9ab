"""`actorline demo`: the main job, shown from end to end, that leaves nothing running."""

import re
import signal
import subprocess

import pytest
from real_parts import Emulator, wait_for
from terminal import ACTORLINE

pytestmark = pytest.mark.thorough


def test_demo_does_the_main_job_and_checks_it(terminal):
    done = terminal("demo", within=400)
    checks = [line.split(maxsplit=1) for line in done.out.splitlines() if line.startswith(("  ok", "  NOT"))]
    assert [(verdict, promise.split()[0]) for verdict, promise in checks] == [
        ("ok", "catalog"),
        ("ok", "prices"),
        ("ok", "report's"),
        ("ok", "three"),
    ]
    assert done.code == 0
    assert "Flower: http://127.0.0.1:" in done.err
    assert "Against the real platform: the README's chapter 'Run an Actor'." in done.out
    ends = [line.split() for line in done.out.splitlines() if line.startswith(("DELIVERED ", "PARTIAL "))]
    states = {key.rstrip(":").rpartition("-")[2]: state for state, key, *_ in ends}
    assert states == {"catalog": "DELIVERED", "prices": "PARTIAL", "report": "DELIVERED"}
    assert "The shop has blocked us since page 13" in done.out
    assert {path.name.rpartition("-")[2] for path in (terminal.cwd / "rows").iterdir()} == set(states)
    assert not terminal.processes()


def test_interrupted_demo_stops_its_runs_and_leaves_no_process(terminal):
    command = terminal.start("demo")
    at = wait_for(lambda: re.search(r"emulator runs at (\S+);", command.err), what="the demo's own emulator")
    Emulator(at[1]).actor("catalog", items=1000, duration_secs=600)  # before it is ordered, as the stack comes up first
    log = terminal.home / "demo" / "logs" / "control.log"
    wait_for(lambda: log.exists() and log.read_text().count("run-known") >= 3, what="three runs")
    command.signal(signal.SIGINT)
    done = command.end(240)
    assert done.code == 130
    ends = re.findall(r"-(catalog|prices|report): the run \S+ is (ABORTED|SUCCEEDED|FAILED)\.", done.err)
    assert {name for name, _ in ends} == {"catalog", "prices", "report"}
    assert ("catalog", "ABORTED") in ends
    assert "ok" not in done.out
    come_back = re.search(r"See it again: (.* show demo-\d+-catalog)", done.err)[1]
    own = {**terminal.environment, "PATH": f"{ACTORLINE.parent}:{terminal.environment['PATH']}"}
    shown = subprocess.run(
        ["sh", "-c", come_back], check=True, cwd=terminal.cwd, env=own, capture_output=True, text=True
    )
    assert shown.stdout.startswith("CANCELLED demo-")
    terminal.wait_until_empty()
