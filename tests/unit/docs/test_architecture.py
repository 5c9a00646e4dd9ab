"""The picture of the states in docs/architecture.md is the table in the code."""

import re
from pathlib import Path

from actorline.jobs.states import LIVE, TERMINAL, TRANSITIONS, Event, State

TEXT = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text()
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
