"""What comes from outside can't steer the terminal that it is shown in."""

import json
import sys
import unicodedata

import pytest
from rich.table import Table
from rich.text import Text

from actorline.cli.terminal.output import out, print_json, print_result, say
from actorline.cli.terminal.timeline import print_timeline
from actorline.cli.terminal.visible import broken_between_words
from actorline.errors import Code, Reason
from actorline.jobs.job_result import JobResult
from actorline.jobs.states import State
from actorline.ledger.timeline import TimelineEntry
from actorline.visible import visible

NASTY = "\x1b]0;pwned\x07 \x9b31m \x1b[2J \u202egnp.exe \x7f \r [bold]x[/bold]"
SHOWN = "\\x1b]0;pwned\\x07 \\x9b31m \\x1b[2J \\u202egnp.exe \\x7f \\x0d [bold]x[/bold]"
REASON = Reason(code=Code.RUN_FAILED, message=NASTY, billed=True)


def shown_in_table():
    table = Table(box=None)
    table.add_column("x", no_wrap=True)
    table.add_row(NASTY.replace("[", "\\["))
    out.print(table)


@pytest.mark.parametrize(
    "show",
    [
        lambda: say(NASTY),
        lambda: print_result(JobResult.refused("k", State.FAILED, REASON), as_json=False),
        lambda: print_timeline([TimelineEntry(id="1", at=1.0, event="run-log", data={"lines": [NASTY]})]),
        lambda: print_timeline([TimelineEntry(id="1", at=1.0, event="waiting", data={"message": NASTY})]),
        lambda: print_timeline([TimelineEntry(id="1", at=1.0, event=NASTY, data={})]),
        shown_in_table,
    ],
    ids=["message", "reason", "log", "timeline", "event", "table"],
)
def test_control_characters_are_shown_not_obeyed(capsys, show):
    show()
    printed = "".join(capsys.readouterr())
    assert SHOWN in printed
    assert not [character for character in printed if character not in "\n\t" and not character.isprintable()]


def test_every_control_character_of_unicode_is_shown():
    steering = {
        chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in {"Cc", "Zl", "Zp"}
    }
    assert {char for char in steering if visible(char) == char} == {"\t", "\n"}


def test_json_has_escapes_of_its_own_and_stays_the_same(capfdbinary):
    print_json({"message": NASTY})
    printed = capfdbinary.readouterr().out.decode()
    assert json.loads(printed) == {"message": NASTY}
    assert printed.removesuffix("\n").isprintable()


def test_text_of_any_language_stays_as_it_is():
    text = "Příliš žluťoučký שלום 👩\u200d💻\ttab\n"
    assert visible(text) == text


URL = "https://console.apify.com/view/runs/QQJA5d4DMfR3awphu"


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ("short", ["short"]),
        ("Valkey, workers and Flower come up", ["Valkey, workers and", "Flower come up"]),
        (f"  run: {URL}", ["  run:", f"  {URL}"]),
        (f"see {URL} for more", ["see", URL, "for more"]),
        ("ok   redis  it waits for its disk", ["ok   redis  it waits for", "            its disk"]),
        ("a\nb", ["a", "b"]),
        ("价格 价格 价格 价格 价格 价格", ["价格 价格 价格 价格", "价格 价格"]),
        ("", [""]),
    ],
)
def test_lines_break_between_words_below_their_last_column(line, broken):
    width = 25 if line.startswith("ok") else 20
    assert broken_between_words(Text(line), width).plain.split("\n") == broken
