"""`actorline schedules ...` and what `up` and `doctor` say of schedules."""

import signal
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from real_parts import wait_for

pytestmark = pytest.mark.thorough

SCHEDULES = """
[schedules.often]
every_secs = 2
[schedules.often.document]
actor = "demo/scheduled"
poll_interval_secs = 1
labels = {day = "{date}"}

[schedules.nightly]
cron = "30 2 * * *"
timezone = "Europe/Prague"
overlap = "queue"
document = {actor = "demo/scheduled"}

[schedules.resting]
enabled = false
every_secs = 1
document = {actor = "demo/scheduled"}
"""
WRONG = '[schedules.one]\ncron = "0 3 * *"\ntz = "UTC"\ndocument = {acter = "demo/rows"}\n'


@pytest.fixture
def scheduled(terminal):
    """A home with schedules; nothing runs there."""
    terminal.emulator.actor("scheduled", items=1, duration_secs=0.2)
    terminal.home.mkdir()
    (terminal.home / "schedules.toml").write_text(SCHEDULES)
    return terminal


def test_up_runs_the_schedules_and_list_and_doctor_tell_of_them(scheduled):
    up = scheduled.start("up", "--flower-port", "0", "--port", "0")
    wait_for(lambda: "up: " in up.err, within=120, what="the stack")

    def delivered():
        often, *_ = scheduled("schedules", "list", "--json").lines
        return often["last_job"] and often["last_job"]["state"] == "DELIVERED"

    wait_for(delivered, within=120, what="a job of a schedule")
    often, nightly, resting = scheduled("schedules", "list", "--json").lines
    assert (often["name"], often["overlap"], often["refused"]) == ("often", "skip", None)
    assert often["last_due"] < often["next_due"]
    assert often["last_fate"] in {"ordered", "skipped"}
    assert (nightly["last_due"], nightly["last_job"], nightly["overlap"]) == (None, None, "queue")
    assert (resting["enabled"], resting["next_due"], resting["last_job"]) == (False, None, None)
    assert scheduled("show", often["last_job"]["key"]).code == 0

    table = scheduled("schedules", "list")
    assert (table.code, table.err) == (0, "")
    assert "30 2 * * * Europe/Prague" in table.out
    assert "disabled" in table.out

    (finding,) = [line for line in scheduled("doctor", "--json").lines if line["subject"] == "schedules"]
    assert finding["is_good"]
    assert finding["text"].endswith("schedules.toml, 1 beat(s); not yet due: nightly")
    up.process.terminate()
    assert up.end(120).code == 0


def test_schedules_without_a_beat_are_said_to_order_nothing(scheduled):
    assert "No beat is running: nothing is ordered." in scheduled("schedules", "list").err
    (finding,) = [line for line in scheduled("doctor", "--json").lines if line["subject"] == "schedules"]
    assert not finding["is_good"]
    assert "2 in" in finding["text"]
    assert "no beat runs" in finding["text"]
    assert finding["fix"] == "actorline up, or actorline beat."


def test_check_says_that_a_file_is_good_or_names_each_mistake(scheduled):
    good = scheduled("schedules", "check")
    assert (good.code, good.err) == (0, "")
    assert good.out.endswith("schedules.toml: often, nightly, resting\n")
    assert scheduled("schedules", "check", "--json").json["schedules"] == ["often", "nightly", "resting"]

    (scheduled.cwd / "wrong.toml").write_text(WRONG)
    bad = scheduled("schedules", "check", "wrong.toml")
    assert (bad.code, bad.out) == (2, "")
    for words in ("schedules.one.cron", 'did you mean "timezone"', 'did you mean "actor"', "schedules nothing"):
        assert words in bad.err
    as_json = scheduled("schedules", "check", "wrong.toml", "--json")
    assert (as_json.code, as_json.json["is_good"]) == (2, False)
    assert [problem["place"] for problem in as_json.json["problems"]] == [
        "schedules.one.cron", "schedules.one.tz", "schedules.one.document",
    ]  # fmt: skip


def test_up_and_doctor_refuse_a_wrong_file_and_name_each_mistake(scheduled):
    (scheduled.home / "schedules.toml").write_text(WRONG)
    done = scheduled("up", "--port", "0", "--flower-port", "0")
    assert done.code == 2
    assert "Traceback" not in done.err
    assert {"schedules.one.cron", "schedules.one.tz"} <= {
        line.strip().partition(":")[0] for line in done.err.split("\n")
    }
    (finding,) = [line for line in scheduled("doctor", "--json").lines if line["subject"] == "schedules"]
    assert not finding["is_good"]
    assert "schedules.one.tz" in finding["text"]


def test_next_prints_due_times_in_the_time_zone_and_in_utc(scheduled):
    lines = scheduled("schedules", "next", "nightly", "--count", "3", "--json").lines
    assert len(lines) == 3
    for line in lines:
        local = datetime.fromisoformat(line["local"])
        assert local == datetime.fromisoformat(line["due"])
        assert local.astimezone(ZoneInfo("Europe/Prague")).strftime("%H:%M") in {"02:30", "03:00"}
        assert line["key"] == f"nightly@{line['due']}"
    text = scheduled("schedules", "next", "nightly", "--count", "1").out
    assert f"Europe/Prague  {lines[0]['due']}  nightly" in text


def test_next_of_all_is_sorted_without_disabled_schedules(scheduled):
    lines = scheduled("schedules", "next", "--json").lines
    assert [line["name"] for line in lines] == ["often"] * 5
    assert [line["due"] for line in lines] == sorted(line["due"] for line in lines)
    assert "is disabled" in scheduled("schedules", "next", "resting").err


def test_pause_is_shown_until_the_schedule_is_resumed(scheduled):
    assert "Nothing is ordered for it" in scheduled("schedules", "pause", "nightly").err
    _, nightly, _ = scheduled("schedules", "list", "--json").lines
    assert nightly["paused"]["by"] == "hand"
    assert "nightly has been paused since" in scheduled("schedules", "list").err
    assert scheduled("schedules", "resume", "nightly", "--json").json["was_paused"]
    assert scheduled("schedules", "list", "--json").lines[1]["paused"] is None
    assert "was not paused" in scheduled("schedules", "resume", "nightly").err


def test_schedule_that_a_beat_follows_is_paused_without_its_file(scheduled):
    up = scheduled.start("up", "--flower-port", "0", "--port", "0")
    wait_for(lambda: "up: " in up.err, within=120, what="the stack")
    wait_for(lambda: scheduled("schedules", "list", "--json").lines[0]["last_due"], what="a due time")
    (scheduled.home / "schedules.toml").write_text("oops = [")
    told = " ".join(scheduled("doctor").out.split())
    assert "one that is running keeps to what it has read" in told
    assert scheduled("schedules", "pause", "often").code == 0
    assert scheduled("schedules", "pause", "nobody").code == 2
    up.signal(signal.SIGTERM)
    assert up.end().code == 0


def test_a_name_that_no_schedule_has_is_refused_with_the_nearest(scheduled):
    done = scheduled("schedules", "next", "nightli")
    assert done.code == 5
    assert done.err == "No schedule has the name 'nightli' (did you mean \"nightly\"?).\n"


def test_a_home_without_schedules_is_said(terminal):
    done = terminal("schedules", "list")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("There is no schedules.toml in ")
