"""What pages say: pure parts."""

from itertools import pairwise
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from actorline.delivery.page_plan import Window
from actorline.errors import Refused
from actorline.gateway.pages.fleet_page import age_charts
from actorline.gateway.pages.jobs.job_filter import JobFilter
from actorline.gateway.pages.presentation.columns import columns
from actorline.gateway.pages.presentation.masking import mask, mask_url
from actorline.gateway.pages.presentation.page_strip import MOST_CELLS, strip_of
from actorline.gateway.pages.presentation.words import with_commands
from actorline.jobs.job import Job
from actorline.jobs.states import State
from actorline.jobs.timeline_event import TimelineEvent
from actorline.ledger.queries.queue_ages import Sample
from actorline.ledger.timeline import TimelineEntry
from actorline.story.number_words import age, duration, size, usd
from actorline.story.sentences import sentences
from actorline.story.waterfall import bars, phases


def job(**fields: Any) -> Job:
    stored = {
        "key": "k", "document": '{"actor":"a/b"}', "hash": "h", "state": "RUNNING", "epoch": 1, "attempt": 1,
        "queued_at": 100.0, **fields,
    }  # fmt: skip
    return Job.read(stored)


def entries(*told: tuple[float, str]) -> list[TimelineEntry]:
    return [TimelineEntry(f"{at}-0", at, event, {}) for at, event in told]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([(100, "queued"), (101, "starting"), (103, "run-known")], [("Waiting", 1), ("Starting", 2), ("Running", 7)]),
        (
            [(100, "queued"), (101, "run-known"), (105, "collecting"), (106, "fetching"), (110, "ended")],
            [("Waiting", 1), ("Running", 4), ("Collecting", 5)],
        ),
        (
            [(100, "queued"), (104, "run-known"), (106, "new-run"), (107, "starting"), (110, "ended")],
            [("Waiting", 4), ("Running", 2), ("Waiting", 1), ("Starting", 3)],
        ),
        ([(100, "queued"), (101, "told-by-a-newer-version"), (102, "ended")], [("Waiting", 2)]),
        ([], []),
    ],
)
def test_a_life_is_split_into_phases(told, expected):
    found = phases(job(), entries(*told), now=110)
    assert [(phase.name, round(phase.seconds)) for phase in found] == expected
    assert all(0 <= bar.left <= 1000 and bar.width >= 4 for bar in bars(found))


def test_what_follows_the_last_stored_page_is_delivering():
    told = entries((100, "queued"), (101, "collecting"), (110, "ended"))
    found = phases(job(stored_at=108.0), told, now=120)
    assert [(phase.name, phase.seconds) for phase in found][1:] == [("Collecting", 7), ("Delivering", 2)]


def test_every_event_has_a_sentence_also_of_a_newer_version():
    for event in TimelineEvent:
        (told,) = sentences([TimelineEntry("1-0", 1.0, event, {})])
        assert told.text
        assert "None" not in told.text.replace("None", "", 2)
    (told,) = sentences([TimelineEntry("1-0", 1.0, "quite-new", {"reason": "x"})])
    assert told.text == "Quite new: reason x"


def test_equal_failures_of_pages_share_a_sentence():
    told = [
        TimelineEntry(f"{number}-0", number, "page-failed", {"page_no": number, "message": "full"})
        for number in range(5)
    ]
    assert [each.text for each in sentences(told)] == ["Page 0 failed and is tried again: full (5 times)"]


def test_a_strip_of_many_pages_stays_small():
    pages = {number: Window(page_no=number, offset=number, limit=1) for number in range(10_000)}
    strip = strip_of(pages)
    assert strip is not None
    assert (len(strip.cells) <= MOST_CELLS, strip.planned) == (True, 10_000)
    assert strip_of({}) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"password": "x", "depth": 1}, {"password": "**********", "depth": 1}),
        ({"a": [{"apiKey": "x"}, {"API_KEY": "x"}]}, {"a": [{"apiKey": "**********"}, {"API_KEY": "**********"}]}),
        ({"tokens": ["x", "y"]}, {"tokens": ["**********", "**********"]}),
        ({"login": {"$secret": "SHOP"}}, {"login": {"$secret": "SHOP"}}),
        ({"proxy": "http://user:pass@proxy:80"}, {"proxy": "http://**********@proxy:80"}),
        ("plain", "plain"),
    ],
)
def test_what_looks_like_a_secret_is_masked(value, shown):
    assert mask(value) == shown


def test_queries_of_urls_are_masked():
    assert mask_url("https://me:x@example.com/hook?token=x#y") == "https://**********@example.com/hook?**********"


def test_a_filter_comes_back_from_its_own_url():
    wanted = JobFilter(state=(State.FAILED,), actor="a/b", label=("x:y&z",), account="one", text="k ey", within="24h")
    assert JobFilter.parse(QueryParams(wanted.query())) == wanted
    assert JobFilter().url() == "/"
    assert JobFilter().url(cursor="1_k") == "/?cursor=1_k"
    for query in ("state=NONE", "within=1y"):
        with pytest.raises(Refused):
            JobFilter.parse(QueryParams(query))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (age(5), "5 s"),
        (age(400), "7 min"),
        (age(90_000), "25 h"),
        (age(900_000), "10 d"),
        (age(-1), "0 s"),
        (duration(0.42), "0.4 s"),
        (duration(61), "1 min 1 s"),
        (duration(7_260), "2 h 1 min"),
        (usd(0.0123), "$0.0123"),
        (usd(12.3), "$12.30"),
        (usd(0), "$0.00"),
        (usd(None), ""),
        (size(512), "512 B"),
        (size(1_234_567), "1.23 MB"),
    ],
)
def test_numbers_are_written_for_people(shown, expected):
    assert shown == expected


def test_the_largest_column_fills_the_height():
    found = columns([("0:00", 2.0), ("1:00", 0.0), ("2:00", 4.0)], 24)
    assert [column.height for column in found] == [50, 0, 100]
    assert all(each.left + each.width <= after.left for each, after in pairwise(found))
    assert [column.height for column in columns([("0:00", 0.0)], 24)] == [0]


def test_the_age_of_a_queue_is_charted_where_it_is_known():
    samples = [Sample(600, {"fetch": 30}), Sample(660, {"fetch": 60}), Sample(1_800, {"fetch": 15, "doors": 0})]
    fetch, doors = [chart for chart in age_charts(samples, now=1_830) if chart.columns]
    assert (fetch.kind, fetch.most) == ("fetch", 60)
    assert [(column.name, column.value, column.height) for column in fetch.columns] == [
        ("20 min ago", 60, 100), ("now", 15, 25),
    ]  # fmt: skip
    assert [column.value for column in doors.columns] == [0]


def test_commands_in_messages_are_code_and_the_rest_is_escaped():
    told = with_commands("<b>`actorline resume <x>` and `one more`, a lone ` stays")
    assert told == ("&lt;b&gt;<code>actorline resume &lt;x&gt;</code> and <code>one more</code>, a lone ` stays")
