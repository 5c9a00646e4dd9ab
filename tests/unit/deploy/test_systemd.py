"""The systemd units name commands that exist, and systemd understands them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from actorline.cli.commands import COMMANDS

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
INSTALLED = "/opt/actorline/bin/actorline"


def test_units_start_commands_that_exist():
    starts = [
        line.split()
        for unit in UNITS.glob("*.service")
        for line in unit.read_text().splitlines()
        if line.startswith("ExecStart=")
    ]
    assert len(starts) == 4
    assert {words[0] for words in starts} == {f"ExecStart={INSTALLED}"}
    assert {words[1] for words in starts} <= COMMANDS.keys()


def test_target_names_every_service():
    (wants,) = [line for line in (UNITS / "actorline.target").read_text().splitlines() if line.startswith("Wants=")]
    assert set(wants.removeprefix("Wants=").split()) == {unit.name for unit in UNITS.glob("*.service")}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_understands_the_units(tmp_path):
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace(INSTALLED, "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(map(str, tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "actorline" in line] == []
