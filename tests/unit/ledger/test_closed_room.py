"""The ledger is a closed room: who else speaks to Redis writes what nobody looks for."""

import ast
import re
from pathlib import Path

from actorline.ledger.keys import GROUPS, KEY_KINDS

ROOT = Path(__file__).parents[3]
SPEAK_TO_REDIS = (
    "actorline/ledger/",
    "actorline/schedules/book.py",
    "actorline/api_keys.py",
    "tasks/shell/",
)
CODE = [path for folder in ("actorline", "tasks", "workers", "config") for path in (ROOT / folder).rglob("*.py")]


def test_only_the_rooms_that_keep_something_there_speak_to_redis():
    speakers = {
        path.relative_to(ROOT).as_posix()
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "redis" and ast.unparse(node) != "redis.redis"
    }
    assert sorted(each for each in speakers if not each.startswith(SPEAK_TO_REDIS)) == []


def test_every_key_that_the_code_names_is_listed_once():
    named = {kind for path in CODE for kind in re.findall(r'\bname\(\s*"([a-z_]+)"', path.read_text())}
    assert named <= KEY_KINDS
    assert named
    patterns = [key.pattern for group in GROUPS.values() for key in group]
    assert len(patterns) == len(set(patterns))
