"""Which files are refused, and that every mistake in them is named with its place."""

import pytest

from actorline.errors import SettingsError
from actorline.schedules.schedules_file import FileProblem, InvalidSchedules, find_schedules, load_schedules
from actorline.settings import load_settings

GOOD = 'every_secs = 5\ndocument = {actor = "demo/rows"}\n'


def problems_of(tmp_path, text):
    file = tmp_path / "schedules.toml"
    file.write_text(text)
    with pytest.raises(InvalidSchedules) as raised:
        load_schedules(file)
    assert str(raised.value).startswith(
        f"{file} is invalid. A beat that starts now schedules nothing; one that is running keeps to what it has read:\n"
    )
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('cron = "0 3 * *"', "schedules.one.cron: is not a cron expression of five fields: found 4"),
        (
            'cron = "@often"',
            "schedules.one.cron: is not a cron expression of five fields: found 1, expected minute, hour",
        ),
        (
            'cron = "0 3 * * 8"',
            "five fields: a day of the week is 0 to 7, where 0 and 7 are Sunday, not 8",
        ),
        (
            'cron = "0 3 * * 1,5-9/2"',
            "five fields: a day of the week is 0 to 7, where 0 and 7 are Sunday, not 9",
        ),
        ('cron = "0 24 * * *"', "schedules.one.cron: is not a cron expression of five fields"),
        ('cron = "0 0 30 2 *"', "never occurs"),
        ("every_secs = 0", "schedules.one.every_secs: must be greater than or equal to 1"),
        ("every_secs = 1_000_000_000_000", "schedules.one.every_secs: must be less than or equal to 315360000"),
        ('every_secs = "5"', "schedules.one.every_secs: must be a whole number"),
        ("", "schedules.one: give exactly one of cron and every_secs"),
        ('cron = "0 3 * * *"\nevery_secs = 5', "schedules.one: give exactly one of cron and every_secs"),
        ('every_secs = 5\ntimezone = "Mars"', "schedules.one.timezone: 'Mars' is not a time zone"),
        ('every_secs = 5\ntimezone = "europe/prag"', 'did you mean "Europe/Prague"?'),
        ('every_secs = 5\noverlap = "wait"', "must be 'skip', 'queue', 'cancel_running' or 'allow'"),
        ('every_secs = 5\ncatch_up = "all"', "must be 'none' or 'last'"),
        ('every_secs = 5\nenabled = "no"', "schedules.one.enabled: must be true or false"),
        ("every_secs = 5\nevery_sec = 5", 'schedules.one.every_sec: is not known (did you mean "every_secs"?)'),
        ("every_secs = 5\neverySecs = 5", 'schedules.one.everySecs: is not known (did you mean "every_secs"?)'),
        ('every_secs = 5\ntz = "UTC"', 'schedules.one.tz: is not known (did you mean "timezone"?)'),
        ('every_secs = 5\ncatchup = "last"', 'schedules.one.catchup: is not known (did you mean "catch_up"?)'),
    ],
)
def test_a_wrong_schedule_is_refused_with_its_place(tmp_path, text, words):
    (problem,) = problems_of(tmp_path, f'[schedules.one]\n{text}\n[schedules.one.document]\nactor = "demo/rows"\n')
    assert words in problem


GUARD = 'guard = {required = ["price"]}'
REPORTS = 'guard = {required = ["price"], on_violation = "report"}'


@pytest.mark.parametrize("kind", ["document", "batch.template"])
def test_a_pause_for_a_guard_needs_one_that_can_break(tmp_path, kind):
    text = '[schedules.one]\nevery_secs = 5\non_guard = "pause"\n{batch}[schedules.one.{kind}]\nactor = "demo/rows"\n'
    begin = text.format(kind=kind, batch="batch.inputs = [{}]\n" if kind != "document" else "")
    (none,) = problems_of(tmp_path, begin)
    (reports,) = problems_of(tmp_path, begin + REPORTS)
    assert none.endswith('guard: on_guard = "pause" pauses the schedule when guard is broken, and that isn\'t given')
    assert reports.endswith('and that only reports (on_violation: "report")')
    (tmp_path / "schedules.toml").write_text(begin + GUARD)
    assert list(load_schedules(tmp_path / "schedules.toml")) == ["one"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ('acter = "demo/rows"', 'schedules.one.document: acter: is not known (did you mean "actor"?)'),
        ('actor = "demo/rows"\nkey = "k"', "schedules.one.document: key: a schedule makes its own"),
        ('actor = "demo/rows"\nsink = {url = "ftp://host/{key}/"}', "sink.url: A sink is file:///a/folder/"),
        ('actor = "demo/rows"\nsink = {url = "file:///rows/{when}/"}', "{when} is not known"),
        ('actor = "demo/rows"\nsink = {url = "file:///rows/"}', "two due times would have the same folder"),
        ('actor = "demo/rows"\nsink = {url = "file:///rows/{date}/"}', "two due times would have the same folder"),
        ('actor = "demo/rows"\ninput = {since = 2026-01-01}', "input.since: is a date, which is not JSON"),
    ],
)
def test_a_bad_document_is_refused_before_its_due_time(tmp_path, document, words):
    (problem,) = problems_of(tmp_path, f"[schedules.one]\nevery_secs = 5\n[schedules.one.document]\n{document}\n")
    assert words in problem


def test_the_document_is_checked_also_if_it_is_not_due_for_years(tmp_path):
    text = '[schedules.one]\ncron = "0 0 29 2 1"\ndocument = {acter = "demo/rows"}\n'
    assert any("acter" in problem for problem in problems_of(tmp_path, text))


@pytest.mark.parametrize(
    ("rhythm", "url"),
    [
        ("every_secs = 5", "file:///rows/{key}/"),
        ("every_secs = 5", "file:///rows/{due}/"),
        ("every_secs = 5", "s3://bucket/{run_id}/"),
        ('cron = "0 3 * * *"', "file:///rows/{date}/"),
    ],
)
def test_a_sink_is_accepted_if_each_due_time_has_a_folder(tmp_path, rhythm, url):
    file = tmp_path / "schedules.toml"
    file.write_text(f'[schedules.one]\n{rhythm}\ndocument = {{actor = "demo/rows", sink = {{url = "{url}"}}}}\n')
    assert list(load_schedules(file)) == ["one"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[schedules.one\n", "it is not TOML"),
        ("schedules = 5\n", "schedules: is not a table of schedules"),
        ("[schedules]\none = 5\n", "schedules.one: must be a table of names and values"),
        ("[schedules.one]\nevery_secs = 5\n", "schedules.one: give exactly one of document and batch"),
        (
            "[schedules.one]\nevery_secs = 5\nbatch = {template = {actor = 'a/b'}, inputs = [1]}\n",
            "schedules.one.batch: The batch is refused: inputs[0] must be an object",
        ),
        (f'[schedules."a b"]\n{GOOD}', "schedules.a b: the name must be"),
        (f"[schedules.{'n' * 101}]\n{GOOD}", "1 to 100 letters"),
        (f'[schedules."\u00e9"]\n{GOOD}', "the name must be"),
        (f"[schedule.one]\n{GOOD}", 'schedule: is not known (did you mean "schedules"?)'),
    ],
)
def test_a_wrong_file_is_refused_with_its_mistake(tmp_path, text, words):
    (problem,) = problems_of(tmp_path, text)
    assert words in problem


def test_all_mistakes_are_named_at_once(tmp_path):
    text = """
    [schedules.one]
    cron = "61 * * * *"
    overlap = "never"
    document = {acter = "demo/rows", colour = "red"}
    [schedules.two]
    every_secs = 5
    document = {actor = "demo/rows", priority = 11}
    """
    places = [problem.partition(":")[0] for problem in problems_of(tmp_path, text)]
    assert places == [
        "schedules.one.cron", "schedules.one.overlap",
        "schedules.one.document", "schedules.one.document", "schedules.two.document",
    ]  # fmt: skip


def test_the_defaults_spend_no_money_twice(tmp_path):
    file = tmp_path / "schedules.toml"
    file.write_text(f"[schedules.one]\n{GOOD}")
    one = load_schedules(file)["one"]
    assert (one.timezone, one.enabled, one.overlap, one.catch_up) == ("UTC", True, "skip", "none")


def test_a_file_is_utf8_with_or_without_a_mark(tmp_path):
    file = tmp_path / "schedules.toml"
    file.write_bytes(
        '[schedules.one]\nevery_secs = 5\ndocument = {actor = "demo/rows", input = "\u017e"}\n'.encode("utf-8-sig")
    )
    assert load_schedules(file)["one"].document["input"] == "\u017e"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        SettingsError,
        match=r"gone\.toml is invalid\. A beat .* has read:\n  it can't be read: No such",
    ):
        load_schedules(tmp_path / "gone.toml")


def test_the_file_is_the_one_that_is_named_else_that_in_the_home(tmp_path):
    named, home = tmp_path / "named.toml", tmp_path / "schedules.toml"
    assert find_schedules(load_settings(home=tmp_path)) is None
    home.write_text("")
    assert find_schedules(load_settings(home=tmp_path)) == home
    assert find_schedules(load_settings(home=tmp_path, schedules_file=named)) == named


def test_a_problem_of_the_whole_file_has_no_place():
    assert str(FileProblem("", "it is not TOML")) == "it is not TOML"
