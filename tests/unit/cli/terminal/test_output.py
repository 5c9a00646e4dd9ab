"""What a person reads of a job."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest

from actorline.cli.terminal import output
from actorline.cli.terminal.output import changes_text, coloured, cost_text, local_text, print_jobs, print_result
from actorline.cli.terminal.timeline import print_timeline
from actorline.cli.terminal.times import short_time
from actorline.cli.terminal.visible import SafeConsole
from actorline.errors import Code, Reason
from actorline.jobs.document.delta import JobChanges
from actorline.jobs.job_result import JobResult, Waiting
from actorline.jobs.states import State
from actorline.ledger.timeline import TimelineEntry


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"cost_usd": 0.42, "run_id": "r"}, "$0.4200"),
        ({"run_id": "r"}, "cost unknown"),
        ({}, "nothing billed"),
        ({"state": State.QUEUED}, "nothing billed so far"),
        ({"state": State.QUEUED, "attempt": 2}, "cost unknown"),
        (
            {"state": State.WAITING, "waiting": Waiting(code=Code.PAUSED, since=None, until=None)},
            "nothing billed so far",
        ),
        (
            {"state": State.WAITING, "waiting": Waiting(code=Code.CAPACITY, since=None, until=None)},
            "nothing billed so far",
        ),
        ({"state": State.WAITING, "waiting": Waiting(code=Code.START_UNCLEAR, since=None, until=None)}, "cost unknown"),
        ({"state": State.STARTING}, "cost unknown"),
        ({"state": State.FAILED, "reason": Reason(code=Code.CONFLICT, message="", billed=False)}, "nothing billed"),
        ({"state": State.FAILED, "reason": Reason(code=Code.START_UNCLEAR, message="", billed=True)}, "cost unknown"),
    ],
)
def test_cost_is_told_as_it_is_known(fields: dict[str, Any], text):
    refused = JobResult.refused("k", State.FAILED, Reason(code=Code.CONFLICT, message="", billed=False))
    result = refused.model_copy(update={"state": State.DELIVERED, "reason": None, **fields})
    assert cost_text(result) == text


@pytest.mark.parametrize(("state", "advised"), [(State.ABORTING, False), (State.CANCELLED, True)])
def test_retry_is_advised_only_for_what_has_ended(capsys, state, advised):
    reason = Reason(code=Code.CANCELLED, message="The job was cancelled.", billed=True)
    result = JobResult.refused("k", State.FAILED, reason).model_copy(update={"state": state})
    print_result(result, as_json=False)
    print_result(result, as_json=False, advises=False)
    assert capsys.readouterr().out.count("next: actorline retry k") == advised


def waiting(code, key="k"):
    reason = Reason(code=Code.CONFLICT, message="", billed=False)
    state = {"state": State.WAITING, "reason": None, "waiting": Waiting(code=code, since=None, until=None)}
    return JobResult.refused(key, State.FAILED, reason).model_copy(update=state)


@pytest.mark.parametrize(
    ("code", "command"),
    [(Code.CAPACITY, "actorline doctor"), (Code.PAUSED, "actorline resume"), (Code.BUDGET, "actorline budgets"),
     (Code.START_UNCLEAR, "actorline show k"), (Code.PLATFORM_UNAVAILABLE, "actorline doctor"), ("of-tomorrow", None)],
)  # fmt: skip
def test_job_that_waits_names_its_cause_and_the_way_out(capsys, code, command):
    print_result(waiting(code), as_json=False)
    _, cause, *way_out = capsys.readouterr().out.splitlines()
    assert cause == f"  waits: {code}"
    assert way_out == ([f"  next: {command}"] if command else [])


def test_list_says_why_jobs_wait_or_failed(capsys):
    failed = JobResult.refused("f", State.FAILED, Reason(code=Code.AUTH, message="", billed=False))
    delivered = failed.model_copy(update={"key": "d", "state": State.DELIVERED, "reason": None})
    print_jobs([waiting(Code.BUDGET), failed, delivered])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:3] for row in rows[:3]] == [
        ["key", "state", "why"],
        ["k", "WAITING", "budget"],
        ["f", "FAILED", "auth"],
    ]
    print_jobs([delivered])
    assert "why" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ({"actor": "demo/rows"}, "demo/rows"),
        ({"actor_task": "demo~nightly"}, "actor_task demo~nightly"),
        ({"run_id": "QQJA5d4DMfR3awphu"}, "run_id QQJA5d4DMfR3awphu"),
        ({"dataset_id": "QH4J6EZmeLXYLk4WS"}, "dataset_id QH4J6EZmeLXYLk4WS"),
    ],
)
def test_list_names_what_was_ordered(capsys, target, shown):
    refused = JobResult.refused("k", State.FAILED, Reason(code=Code.AUTH, message="", billed=False))
    actor = target.get("actor", None if "dataset_id" in target else "CKaScj7hctR5YcBa6")
    print_jobs([refused.model_copy(update={"actor": actor, "target": target})])
    assert shown in capsys.readouterr().out.splitlines()[1]


@pytest.fixture
def at_width(monkeypatch):
    """A terminal of so many columns, whose text is returned: `at_width(80).getvalue()`."""

    def make(width: int) -> StringIO:
        text = StringIO()
        console = SafeConsole(
            width=width, file=text, highlight=False, soft_wrap=True, force_terminal=True, color_system=None
        )
        monkeypatch.setattr(output, "out", console)
        return text

    return make


UUID_KEY = "7f9c24e5-2f4b-4d5e-8a33-0123456789ab"


@pytest.mark.parametrize(
    ("width", "code", "columns"),
    [
        (60, None, ["key", "state", "cost"]),
        (60, Code.RUN_FAILED, ["key", "state", "why"]),
        (80, None, ["key", "state", "actor", "items", "cost"]),
        (120, None, ["key", "state", "actor", "items", "cost", "queued"]),
    ],
)
def test_key_of_a_job_is_whole_where_columns_are_left_out(at_width, width, code, columns):
    reason = code and Reason(code=code, message="", billed=True)
    failed = JobResult.refused(UUID_KEY, State.FAILED, Reason(code=Code.AUTH, message="", billed=False))
    fields = {"reason": reason, "items": 1200, "cost_usd": 1.25, "queued_at": "2026-07-20T13:42:36+00:00"}
    printed = at_width(width)
    print_jobs([failed.model_copy(update={**fields, "actor": "apify/website-content-crawler"})])
    head, first, *_ = printed.getvalue().splitlines()
    assert (head.split(), first.split()[0]) == (columns, UUID_KEY)


def test_jobs_that_fit_80_columns_have_all_of_them(at_width):
    delivered = JobResult.refused("nightly-17", State.FAILED, Reason(code=Code.AUTH, message="", billed=False))
    fields = {"state": State.DELIVERED, "reason": None, "items": 1200, "cost_usd": 1.25}
    printed = at_width(80)
    queued_at = "2026-07-20T13:42:36+00:00"
    print_jobs([delivered.model_copy(update={**fields, "actor": "apify/web-scraper", "queued_at": queued_at})])
    head, row = (line.rstrip() for line in printed.getvalue().splitlines())
    assert head == "key         state      actor              items     cost  queued"
    queued = short_time(datetime.fromisoformat(queued_at).timestamp())
    assert row == f"nightly-17  DELIVERED  apify/web-scraper  1,200  $1.2500  {queued}"


def test_time_of_an_order_is_left_out_before_it_is_broken(at_width):
    delivered = JobResult.refused("k" * 30, State.DELIVERED, Reason(code=Code.AUTH, message="", billed=False))
    queued_at = datetime.now(UTC).isoformat()
    for width in range(50, 90):
        printed = at_width(width)
        print_jobs([delivered.model_copy(update={"reason": None, "actor": "demo/rows", "queued_at": queued_at})])
        text = printed.getvalue()
        assert ("queued" in text) is (local_text(queued_at) in text)
        assert "k" * 30 in text


def test_jobs_are_whole_in_80_columns(at_width):
    narrow = at_width(80)
    failed = JobResult.refused(
        "nightly@2026-11-29T14:34:00Z", State.FAILED, Reason(code=Code.GUARD_BROKEN, message="", billed=False)
    )
    actor = {"actor": "apify/website-content-crawler", "items": 1_234_567, "cost_usd": 1.2345}
    print_jobs([failed.model_copy(update=actor)])
    lines = narrow.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    shown = "".join("".join(lines).split())
    assert "…" not in shown
    assert {"FAILED", "1,234,567", "$1.2345"} <= set(lines[1].split())


def test_pages_that_fail_for_the_same_reason_are_one_line(capsys):
    failed = [{"page_no": no, "tries": tries, "message": "disk full"} for tries in (1, 2) for no in range(3)]
    events = [("fetching", {"pages": 3}), *(("page-failed", data) for data in failed),
            ("page-failed", {"page_no": 0, "tries": 1, "message": "cut"}), ("fetching", {"pages": 1}),
            ("ended", {"state": "DELIVERED"})]  # fmt: skip
    print_timeline(
        [TimelineEntry(id=str(at), at=float(at), event=event, data=data) for at, (event, data) in enumerate(events)]
    )
    assert [line[12:].rstrip() for line in capsys.readouterr().out.splitlines() if ":" in line] == [
        "3 pages of rows are being fetched",
        "Page 0 failed and is tried again: disk full (6 times)",
        "Page 0 failed and is tried again: cut",
        "1 page of rows is being fetched",
        "It is delivered",
    ]


def test_timeline_prints_values_of_any_kind(capsys):
    data = {"lines": ["one [b]", "two"], "nothing": None, "empty": "", "facts": {"a": [1]}, "zero": 0, "yes": True}
    print_timeline([TimelineEntry(id="1", at=0.0, event="run-log", data=data)])
    assert capsys.readouterr().out.splitlines() == [
        f"  {short_time(0)[:10]}",
        f"  {short_time(0)[11:]}:00  The end of the run's log",
        "      one [b]",
        "      two",
    ]


def test_state_of_a_newer_version_is_shown_as_it_is():
    assert coloured("SUSPENDED") == "[cyan]SUSPENDED[/]"


def test_changes_that_are_not_known_are_told_as_such():
    why = "only the rows of a complete delivery are compared; this one is CANCELLED"
    assert changes_text(JobChanges(base=None, error=why)) == f"changes are not known: {why}"
