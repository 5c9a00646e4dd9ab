"""What docs/emulator.md shows is what the emulator takes."""

import json
import re
from pathlib import Path

from actorline.emulator.faults import FAULTS
from actorline.emulator.profile import Profile, Script

PAGE = (Path(__file__).parents[3] / "docs" / "emulator.md").read_text()
ACTION = re.compile(r"The actions are (.*?), described", re.DOTALL)


def test_its_profile_is_read():
    (shown,) = re.findall(r"(?ms)^```json\n(.*?)^```$", PAGE)
    profile = Profile.model_validate_json(shown)
    for task in profile.actor_tasks:
        Script().overridden(task.input["emulate"])


def test_its_fields_of_a_run_exist():
    (example,) = re.findall(r"--input '(.*?)'$", PAGE, re.MULTILINE)
    Script().overridden(json.loads(example)["emulate"])
    named = {field for row in re.findall(r"(?m)^\| (`.*?) \|", PAGE) for field in re.findall(r"`(\w+)`", row)}
    assert named <= Script.model_fields.keys()


def test_its_faults_are_taken_and_all_actions_are_named():
    (shown,) = re.findall(r"-d '(\[.*?\])'", PAGE, re.DOTALL)
    assert len(FAULTS.validate_json(shown)) == 2
    schema = FAULTS.json_schema()
    actions = set(schema["items"]["discriminator"]["mapping"])
    assert set(re.findall(r"`(\w+)`", ACTION.search(PAGE)[1])) == actions
