"""The document of a due time: what is filled in where, and what is left alone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from actorline.schedules.schedule import Schedule, due_key
from actorline.schedules.template import fill_document

LATE_EVENING = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)  # the next day in Prague
PRAGUE = ZoneInfo("Europe/Prague")


def filled(**document):
    return fill_document(document, LATE_EVENING, PRAGUE)


def test_due_is_in_utc_and_date_is_that_of_the_schedules_zone():
    assert filled(input="{due} {date}") == {"input": "2026-11-23T23:30:00Z 2026-11-24"}


def test_every_text_of_the_input_is_filled_however_deep_it_lies():
    given = {"days": ["{date}", {"from": "{date}T00:00"}], "depth": 3, "deep": True, "none": None, "{date}": "name"}
    assert filled(input=given)["input"] == {
        "days": ["2026-11-24", {"from": "2026-11-24T00:00"}], "depth": 3, "deep": True, "none": None, "{date}": "name",
    }  # fmt: skip


def test_labels_and_sink_url_are_filled_sink_placeholders_stay():
    document = filled(labels={"day": "{date}"}, sink={"url": "s3://rows/{date}/{key}/{run_id}/", "compression": "none"})
    assert document["labels"] == {"day": "2026-11-24"}
    assert document["sink"] == {"url": "s3://rows/2026-11-24/{key}/{run_id}/", "compression": "none"}


def test_doubled_braces_leave_a_placeholder_in_the_text():
    assert filled(sink={"url": "file:///rows/{{date}}/{key}/"})["sink"] == {"url": "file:///rows/{date}/{key}/"}
    assert filled(input="`${{date}}` {{due}}")["input"] == "`${date}` {due}"


def test_other_braces_are_left_alone():
    code = "async ({ request }) => { const { title } = {...x, y: {}}; return `{{title}} ${dated} {Date} { date }`; }"
    assert filled(input={"pageFunction": code})["input"] == {"pageFunction": code}


def test_other_fields_are_no_templates():
    assert filled(actor="{date}", account="{due}") == {"actor": "{date}", "account": "{due}"}


def test_the_order_of_a_due_time_is_the_filled_document():
    schedule = Schedule(every_secs=60, timezone="Europe/Prague", document={"actor": "demo/rows", "input": "{date}"})
    assert schedule.order("often", LATE_EVENING) == {
        "actor": "demo/rows", "input": "2026-11-24", "key": "often@2026-11-23T23:30:00Z",
    }  # fmt: skip
    assert schedule.document["input"] == "{date}"


def test_a_key_names_the_schedule_and_the_due_time_in_utc():
    due = datetime.fromisoformat("2026-11-23T04:00:00+01:00")
    assert due_key("nightly", due) == "nightly@2026-11-23T03:00:00Z"
