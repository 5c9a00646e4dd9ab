"""The changelog is for users: short lines under Added, Changed or Fixed."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[3] / "CHANGELOG.md").read_text()
LONGEST = 330  # characters


def test_each_line_of_the_changelog_has_its_kind():
    versions = re.split(r"(?m)^## .+\n", TEXT)[1:]
    assert versions
    for version in versions:
        before, *kinds = re.split(r"(?m)^### (.+)\n", version)
        assert before.strip() == "", "put each line under Added, Changed, Removed or Fixed"
        assert set(kinds[::2]) <= {"Added", "Changed", "Removed", "Fixed"}
        assert len(set(kinds[::2])) == len(kinds[::2])


def test_lines_of_the_changelog_are_short_and_there_once():
    lines = [" ".join(line.split()) for line in re.split(r"(?m)^- ", TEXT)[1:]]
    too_long = [line for line in lines if len(line.partition(" ###")[0]) > LONGEST]
    assert too_long == [], "say it shorter, or in a document"
    assert sorted(lines) == sorted(set(lines))
