"""What a person sees of jobs while they wait for them."""

import json
from io import StringIO

import pytest
from rich.console import Console

from actorline.cli.terminal import live_table
from actorline.cli.terminal.live_table import LiveTable, progress_text, table_of
from actorline.jobs.job import Job
from actorline.jobs.states import State

NOW = 1_000.0


def job(key: str = "k", state: State = State.RUNNING, **fields: object) -> Job:
    document = json.dumps({"actor": "a/b"})
    facts = {"hash": "h", "epoch": 1, "attempt": 1, "queued_at": 900.0, **fields}
    return Job.read({"key": key, "document": document, "state": state, **facts})


def lines(jobs: list[Job], width: int = 80, height: int = 20) -> list[str]:
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as captured:
        console.print(table_of(jobs, NOW, width=width, height=height))
    return captured.get().splitlines()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"state": State.QUEUED, "queued_at": 991.0}, ""),
        (
            {"state": State.QUEUED, "queued_at": 980.0},
            "hasn't begun: no worker has taken it, or the platform doesn't reply; `actorline doctor` says which",
        ),
        (
            {"state": State.STARTING, "queued_at": 980.0, "intent": '{"attempt": 1, "marker": "m", "at": 981.0}'},
            "a start was sent; the platform hasn't replied yet",
        ),
        ({"state": State.WAITING, "waiting_for": "capacity"}, "waits: capacity"),
        ({"state": State.WAITING}, "waits: start-unclear"),
        (
            {"started_at": 975.0, "run_status": "RUNNING", "items_total": 48_000, "cost_usd": 0.009},
            "running 0:25, 48,000 items so far, $0.0090",
        ),
        ({"started_at": 975.0, "run_status": "READY"}, "ready 0:25"),
        ({"state": State.COLLECTING, "items": 500, "items_total": 2_000}, "500 of 2,000 items"),
        (
            {"state": State.COLLECTING, "items": 500, "failing_pages": 12, "page_error": "No space left on device"},
            "500 items; 12 pages fail: No space left on device",
        ),
        ({"state": State.DELIVERED, "items": 7, "cost_usd": 0.01}, "7 items, $0.0100"),
    ],
)
def test_progress_is_told_in_a_few_words(fields, text):
    assert progress_text(job(**fields), NOW) == text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_state_and_age_are_never_cut(width):
    line, *below = lines([job("nightly-prices-de-" * 8, started_at=975.0, items_total=10**9, cost_usd=1.5)], width)
    assert max(len(each.rstrip()) for each in (line, *below)) <= width
    assert line.split("RUNNING")[1].split()[0] == "1:40"


def failing(key: str) -> Job:
    cause = "the folder can't be written: No space left on device"
    return job(key, State.COLLECTING, items=500, items_total=2_000, failing_pages=12, page_error=cause)


@pytest.mark.parametrize("key", ["k", "nightly-prices-de-" * 8])
def test_the_cause_of_a_failure_is_never_cut_where_there_is_room(key):
    first, *below = lines([failing(key)], 80)
    assert first.startswith(key[:15])
    words = " ".join([first.partition("1:40")[2], *below]).split()
    assert " ".join(words).endswith("12 pages fail: the folder can't be written: No space left on device")
    assert len(lines([failing(f"{key}-{number}") for number in range(20)], 80, 20)) == 20


def test_jobs_beyond_the_screen_are_counted_live_ones_first():
    jobs = [*(job(f"done-{number}", State.DELIVERED) for number in range(30)), job("live")]
    shown = lines(jobs, height=10)
    assert len(shown) == 11
    assert shown[0].startswith("live")
    assert shown[-1].rstrip() == "31 jobs: 30 DELIVERED, 1 RUNNING"


def test_batches_are_lines_above_their_members():
    console = Console(width=80, height=24, file=StringIO())
    table = LiveTable(console)
    table.update([], 0, ["catalog: 12 of 100 inputs ended, 1 failed; 2,400 items", "x" * 100])
    console.print(table.render())
    first, second, *others = console.file.getvalue().splitlines()
    assert first.rstrip() == "catalog: 12 of 100 inputs ended, 1 failed; 2,400 items"
    assert len(second) == 80
    assert "x" not in "".join(others)


def test_last_frame_in_a_file_ends_its_line(monkeypatch):
    """As through `docker compose exec -T`, where results follow in the same file."""
    console = Console(width=80, height=24, file=StringIO())
    monkeypatch.setattr(live_table, "err", console)
    with live_table.live_table(shown=True) as table:
        table.update([], 0, ["nothing is running"])
    assert console.file.getvalue().endswith("nothing is running\n")
