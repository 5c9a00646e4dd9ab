"""The pictures of the states and of the errors in docs/architecture.md are those of the code."""

import ast
import re
from pathlib import Path

from actorline.jobs.states import LIVE, TERMINAL, TRANSITIONS, Event, State

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "architecture.md").read_text()
ENDS = {Event.FAIL, Event.CANCEL, Event.EXPIRE}
WAYS_BACK = {Event.RETRY, Event.RECOLLECT}
MOVES = {(state, event, to) for state, moves in TRANSITIONS.items() for event, to in moves.items()}


def test_the_picture_shows_every_move_that_is_not_told_in_words():
    drawn = re.findall(r"(?m)^    ([A-Z]+) --> ([A-Z]+): (\S+)$", TEXT)
    assert sorted((State(source), Event(event), State(to)) for source, to, event in drawn) == sorted(
        move for move in MOVES if move[1] not in ENDS | WAYS_BACK
    )


def test_what_is_told_in_words_is_so():
    assert {(state, event) for state, event, _ in MOVES if event in ENDS} == {(s, e) for s in LIVE for e in ENDS}
    ends_with_a_way_back = TERMINAL - {State.DELIVERED}
    assert {(state, event) for state, event, _ in MOVES if event in WAYS_BACK} == {
        (state, event) for state in ends_with_a_way_back for event in WAYS_BACK
    }


def test_drawn_errors_are_those_of_the_code():
    tree = TEXT.split("## Errors")[1].split("```")[1]
    drawn = {}
    path = []
    for bars, name, module in re.findall(r"^([ │├└]*)(\w+)(?:\s+(\S+\.py))?", tree, re.MULTILINE):
        depth = len(bars.rstrip()) // 3 + bool(bars.strip())
        path[depth:] = [name]
        if depth:
            drawn[name] = path[depth - 1]
            assert not module or f"class {name}(" in (ROOT / "actorline" / module).read_text()
    assert drawn == _error_classes()


def _error_classes():
    """Class -> its base, of all exceptions but private ones; the emulator is apart."""
    bases = {
        node.name: node.bases[0].id
        for folder in ("actorline", "tasks", "workers", "config")
        for file in (ROOT / folder).rglob("*.py")
        if "emulator" not in file.parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and node.bases and isinstance(node.bases[0], ast.Name)
    }
    found = {"Exception"}
    while more := {name for name, base in bases.items() if base in found} - found:
        found |= more
    return {name: bases[name] for name in found - {"Exception"} if not name.startswith("_")}
