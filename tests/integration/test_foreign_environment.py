"""Variables that somebody else set for something else change nothing."""

import json
import os
import subprocess
import sys
import sysconfig

import pytest
from real_parts import ROOT
from terminal import ACTORLINE, Terminal

OTHERS = {
    "CELERY_BROKER_URL": "amqp://guest:guest@127.0.0.1:1//",
    "CELERY_RESULT_BACKEND": "redis://127.0.0.1:1/0",
    "BROKER_URL": "amqp://127.0.0.1:1//",
    "CELERY_LOADER": "shop.loaders:Loader",
    "CELERY_CONFIG_MODULE": "shop.celeryconfig",
    "DJANGO_SETTINGS_MODULE": "shop.settings",
    "APP": "shop",
    "ACTORLINE_SINK_URL": "",
    "ACTORLINE_RETENTION_DAYS": "",
    "APIFY_TOKEN_FILE": "",
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["ha#sh?per%41cent"])
def test_a_job_is_done_in_any_home_whatever_a_service_set(terminal: Terminal, name):
    terminal.home = terminal.folder / name
    terminal.environment |= OTHERS | {"ACTORLINE_HOME": str(terminal.home)}
    actor = terminal.emulator.actor("foreign-environment", items=10, duration_secs=0)
    done = terminal.run("--json", key="foreign", actor=actor).end()
    assert (done.code, done.json["items"]) == (0, 10)
    rows = terminal("items", "foreign")
    assert (rows.code, rows.out.count("\n")) == (0, 10)


@pytest.mark.thorough
def test_what_pythonpath_alone_finds_is_found_by_every_process(terminal: Terminal):
    """As after `pip install --target`: the interpreter itself knows no package of ours."""
    path = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    actor = terminal.emulator.actor("by-pythonpath", items=10, duration_secs=0)
    order = terminal.document(key="by-pythonpath", actor=actor)
    done = subprocess.run(
        [sys._base_executable, str(ACTORLINE), "run", "--document", order, "--json"],  # type: ignore[attr-defined]
        cwd=terminal.cwd,
        env={**terminal.environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["items"] == 10
    terminal.wait_until_empty()
